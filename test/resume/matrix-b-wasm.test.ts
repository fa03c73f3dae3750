import { describeMatrix, MODEL_B } from './support/matrix.js';

describeMatrix(MODEL_B, 'wasm');
