import { describeMatrix, MODEL_A } from './support/matrix.js';

describeMatrix(MODEL_A, 'tensorflow');
