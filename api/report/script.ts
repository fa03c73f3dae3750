// The script of the page: draws what the page carries along, and draws it anew where light turns to dark.

/** `plots`: what the page's JSON holds, an array of {id, heightPx, option}. */
export const PAGE_SCRIPT = `
(() => {
  const text = document.getElementById('plots').textContent;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  let charts = [];
  function draw({ id, heightPx, option }) {
    const place = document.getElementById('plot-' + id);
    place.style.height = heightPx + 'px';
    try {
      const chart = echarts.init(place, dark.matches ? 'dark' : null, { renderer: 'canvas' });
      chart.setOption(option);
      return [chart];
    } catch (error) {
      place.style.height = 'auto';
      place.textContent = 'This plot cannot be drawn: ' + error.message;
      return [];
    }
  }
  function drawAll() {
    for (const chart of charts) chart.dispose();
    const ground = getComputedStyle(document.body).getPropertyValue('--card').trim();
    const plots = JSON.parse(text, (key, value) => (key === 'textBorderColor' ? ground : value));
    charts = plots.flatMap(({ option, ...plot }) => draw({ ...plot, option: { backgroundColor: ground, ...option } }));
  }
  drawAll();
  dark.addEventListener('change', drawAll);
  addEventListener('resize', () => { for (const chart of charts) chart.resize(); });
})();
`;
