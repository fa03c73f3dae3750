import { describeProtocol } from './interleavings.js';

describeProtocol(1);
