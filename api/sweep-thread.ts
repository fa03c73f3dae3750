// Where the API's thread for sweeps begins (lib/sweeps/decider.ts): it decides, and makes what takes long to read.
import { answerQuestions } from '../lib/sweeps/decide-thread.js';
import { IMPORTANCE } from '../lib/sweeps/makers.js';
import { REPORT } from './report/maker.js';

answerQuestions([IMPORTANCE, REPORT]);
