// Where each of the API's threads for sweeps begins (lib/sweeps/decider.ts): one decides, one makes what takes long to read.
import { answerQuestions } from '../lib/sweeps/decide-thread.js';
import { EXPORTS, IMPORTANCE } from '../lib/sweeps/makers.js';
import { REPORT } from './report/maker.js';

answerQuestions([IMPORTANCE, REPORT, ...Object.values(EXPORTS)]);
