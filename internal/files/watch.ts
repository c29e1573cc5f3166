/**
 * Files that are replaced while the server runs: callbacks that are edited, certificates that are renewed.
 *
 * By looking at each file a few times a second (M2): `Deno.watchFs` of a file goes deaf when another is renamed over it, as
 * editors do, to watch its directory needs the permission to read all of it, and neither sees what another machine
 * writes to a network disk.
 */

/** Milliseconds between two looks: a change is told at the second look that finds the file as the first did. */
const INTERVAL = 250;

/** What a file is told by; undefined while there is none, or while it cannot be read. */
type Signature = string | undefined;

function signature({ mtime, size, ino, dev }: Deno.FileInfo): Signature {
  return `${mtime?.getTime()} ${size} ${dev} ${ino}`;
}

/**
 * Tells of each file that was written or replaced, once it has stayed as it is for a moment: a last save is never lost, and
 * a file that goes away is only told of when there is one again. Links are followed. Where the permission to read them is
 * missing, nothing is ever told.
 *
 * What changes from the call on is told: call it before the files are read. It does not keep the process alive.
 *
 * @param paths Files; `--allow-read` of just these is enough
 * @param onChange Gets one of the paths. It must not throw
 * @param onMissing Gets the path of a file that does not exist any more, or cannot be read, once until it is back. It must not throw
 * @returns To be disposed of: at once nothing is told any more; the promise waits for a look that is under way
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
      file.missing = settled && now === undefined;
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
