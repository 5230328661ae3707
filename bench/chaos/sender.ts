import type { Product } from "../product.ts";
import { insist } from "./insist.ts";

/** One form, posted until it was accepted, as a sender that retries does. */
export interface Accepted {
  readonly email: string;
  readonly company: string;
}

/** Each form is of another person; every fifth company is shared. */
function formOf(number: number) {
  return {
    firstName: "Ada",
    lastName: `Number ${number}`,
    email: `ada-${number}@chaos.example`,
    company: `Company ${number % 5}`,
    companyDomain: `company-${number % 5}.example`,
    role: "CTO",
    message: `Message ${number}`,
  };
}

/**
 * Posts `posts` forms, `together` at the same moment, each until it is accepted; `pause` resolves when the
 * next such group, of which `left` are left, may go.
 */
export async function sendForms(
  product: Product,
  path: string,
  options: {
    posts: number;
    together: number;
    pause(left: number): Promise<void>;
    onAccepted(accepted: Accepted): void;
  },
): Promise<void> {
  const { posts, together, pause, onAccepted } = options;
  const sending: Promise<void>[] = [];
  for (let first = 0; first < posts; first += together) {
    await pause(Math.ceil((posts - first) / together));
    for (let number = first; number < Math.min(first + together, posts); number++) {
      const sent = sendForm(product, path, number).then(onAccepted);
      // Met below, when all are waited for; until then it must not end the process.
      sent.catch(() => {});
      sending.push(sent);
    }
  }
  await Promise.all(sending);
}

async function sendForm(product: Product, path: string, number: number): Promise<Accepted> {
  const form = formOf(number);
  // The sender's own key: a post whose answer was lost is posted again under it.
  const body = JSON.stringify({ ...form, submissionId: `form-${number}` });
  await insist(`form ${number}`, () => product.post(path, body), [202]);
  return form;
}
