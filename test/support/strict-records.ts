// HEAD and manifests as this version writes them. Readers pass by what they do not know, so a field that no schema has would be
// written unseen.
import { Compile } from 'typebox/compile';
import { Head, Manifest } from '../../lib/contract/records.js';

const head = Compile(Head);
const manifest = Compile(Manifest);

/** What is wrong with it; null: nothing. */
export const headProblem = (value: unknown): string | null => (head.Check(value) ? null : problemOf(head.Errors(value)));
export const manifestProblem = (value: unknown): string | null => (manifest.Check(value) ? null : problemOf(manifest.Errors(value)));

const problemOf = ([first]: readonly { instancePath: string; message: string }[]): string => `${first?.instancePath ?? ''} ${first?.message ?? 'unknown'}`;
