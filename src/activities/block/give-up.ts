/**
 * What the work comes to, or `instead` where that takes longer than so many milliseconds: then the work goes
 * on by itself and nobody hears of it.
 */
export async function giveUpAfter<T>(ms: number, work: Promise<T>, instead: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(() => {
      work.catch(() => {});
      resolve(instead());
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
