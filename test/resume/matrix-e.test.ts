import { describeMatrix, MODEL_E } from './support/matrix.js';

describeMatrix(MODEL_E, 'tensorflow');
