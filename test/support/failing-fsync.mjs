// Loaded before anything else into a process (`--import`): while the file that PAWL_TEST_FSYNC_FAILS names is there, its fsyncs fail, as
// on a disk with a bad block. A trainer is not told, and is spared.
import fs from 'node:fs';

const { fsync } = fs;
const failing = process.env['PAWL_TEST_FSYNC_FAILS'];
if (failing !== undefined)
  fs.fsync = (fd, done) => {
    if (fs.existsSync(failing)) process.nextTick(done, Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO', syscall: 'fsync' }));
    else fsync(fd, done);
  };
