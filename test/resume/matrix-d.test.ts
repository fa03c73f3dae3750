import { describeMatrix, MODEL_D } from './support/matrix.js';

describeMatrix(MODEL_D, 'tensorflow');
