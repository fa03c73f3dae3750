import { describeProtocol } from './interleavings.js';

describeProtocol(0);
