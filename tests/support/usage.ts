/** What a process uses, as Linux tells in /proc (proc(5)). */

/** Bytes of a page of memory, as most Linux machines have them. */
const PAGE = 4096;

/** Seconds of processor time that its threads have used, in user code and in the kernel. */
export function cpuTime(pid: number): number {
  // Nanoseconds, while `stat` counts hundredths of a second.
  let nanoseconds = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]);
    } catch {
      // The thread has just ended.
    }
  }
  return nanoseconds / 1e9;
}

/** Bytes of its memory that are in RAM. */
export function residentMemory(pid: number): number {
  return Number(Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[1]) * PAGE;
}

/** How many files it has open, sockets included. */
export function openFiles(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}
