// gpu.mjs for TypeScript, which does not read its JSDoc: keep the two alike.

export interface Machine {
  devices: string[];
  driver: string | null;
  libraries: Set<string> | null;
  visibleDevices: string | null;
  missingFiles: string[];
}

export interface GpuLog {
  gpus: string[];
  unopened: { name: string; why: string }[];
  cuInit: string | null;
  others: string[];
}

export const gpuLogEnvironment: Record<string, string>;
export function gpuDiagnosis(library: string, log: string, environment?: NodeJS.ProcessEnv): Promise<string[]>;
export function parseLdconfig(text: string): Set<string>;
export function parseDriverVersion(text: string): string | null;
export function parseGpuLog(log: string): GpuLog;
export function whyNoGpu(machine: Machine, log: GpuLog): string[];
