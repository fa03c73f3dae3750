// Connections that bring no request: what they are told, in the API's one form of errors, and their end. Whoever keeps his side open,
// or does not read, would otherwise keep the connection for good.
import type { Duplex } from 'node:stream';
import { AppError } from '../lib/errors.js';
import { freshUlid } from '../lib/fresh-id.js';
import { errorBody } from './errors.js';

/** By Node's codes, as its own server answers. */
const ANSWERS: Readonly<Record<string, [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request did not come in time'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Payload Too Large', 'the chunk extensions are too large'],
};

export function answerClientError(error: Error, socket: Duplex): void {
  const [status, message] = ANSWERS[(error as NodeJS.ErrnoException).code ?? ''] ?? ['400 Bad Request', 'this is not HTTP'];
  if (socket.writable) {
    const id = `req_${freshUlid()}`;
    const body = JSON.stringify(errorBody(new AppError('invalid_request', message), id));
    socket.write(`HTTP/1.1 ${status}\r\nconnection: close\r\nx-request-id: ${id}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  // What was written has gone to the system by now.
  socket.destroy();
}
