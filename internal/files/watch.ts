/**
 * Watches files that change while the server runs: callbacks that are edited, certificates that are renewed.
 *
 * It checks each file a few times a second (M2). `Deno.watchFs` on a file goes deaf when another file is renamed over it, as
 * editors do; watching the directory needs permission to read all of it; and neither sees what another machine writes to a
 * network disk.
 */

/** Milliseconds between two checks. A change is reported when two checks in a row find the file the same. */
const INTERVAL = 250;

/** Identifies a version of a file; undefined if it does not exist or cannot be read. */
type Signature = string | undefined;

function signature({ mtime, size, ino, dev }: Deno.FileInfo): Signature {
  return `${mtime?.getTime()} ${size} ${dev} ${ino}`;
}

/**
 * Reports each file that was written or replaced, once it has stayed the same for a moment. A last save is never lost, and
 * a file that disappears is reported only when it exists again. Links are followed. Without permission to read the files,
 * nothing is ever reported.
 *
 * Changes are reported from the call on, so call this before you read the files. It does not keep the process alive.
 *
 * @param paths The files; `--allow-read` for just these is enough
 * @param onChange Gets one of the paths. It must not throw
 * @param onMissing Gets the path of a file that disappears or can no longer be read, once until it is back. It must not throw
 * @returns Disposing of it ends all reports at once; the promise waits for a check that is under way
 */
export function watchFiles(
  paths: readonly string[],
  onChange: (path: string) => void,
  onMissing: (path: string) => void = () => {},
): AsyncDisposable {
  const files = paths.map((path) => {
    const told = lookNow(path);
    return { path, told, seen: told, missing: false };
  });
  let disposed = false;
  let looking = Promise.resolve();

  async function look(): Promise<void> {
    for (const file of files) {
      const now = await Deno.stat(file.path).then(signature, () => undefined);
      if (disposed) return;
      const settled = now === file.seen;
      file.seen = now;
      const wasMissing = file.missing;
      // One that was never seen cannot be read, which is another matter.
      file.missing = settled && now === undefined && file.told !== undefined;
      if (file.missing && !wasMissing) onMissing(file.path);
      if (!settled || now === undefined || now === file.told) continue;
      file.told = now;
      onChange(file.path);
    }
    if (!disposed) timer = nextLook();
  }

  function nextLook() {
    const timer = setTimeout(() => looking = look(), INTERVAL);
    Deno.unrefTimer(timer);
    return timer;
  }

  let timer = nextLook();
  return {
    [Symbol.asyncDispose]() {
      disposed = true;
      clearTimeout(timer);
      return looking;
    },
  };
}

function lookNow(path: string): Signature {
  try {
    return signature(Deno.statSync(path));
  } catch {
    return undefined;
  }
}
