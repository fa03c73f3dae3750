import { describeMatrix, MODEL_C } from './support/matrix.js';

describeMatrix(MODEL_C, 'tensorflow');
