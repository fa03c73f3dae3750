import { describeMatrix, MODEL_D_ADAMW } from './support/matrix.js';

describeMatrix(MODEL_D_ADAMW, 'wasm');
