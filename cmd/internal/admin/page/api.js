// Asking the API.

/** Refused is an answer that is a no. */
export class Refused extends Error {
  constructor(status, answer) {
    super(answer.hint ? `${answer.error}; ${answer.hint}` : answer.error);
    this.status = status;
    this.answer = answer;
  }
}

const place = "sluice-token"; // in the storage of this tab
const patience = 5000; // for an answer that is at hand
let wantToken = null; // asks the person, (wrong) => promise of the token
let asking = null; // the promise, while a person is asked

/** onToken says who asks the person for the token. */
export function onToken(f) {
  wantToken = f;
}

/** ask is a request for JSON. It waits for an answer as long as it says, in milliseconds. */
export async function ask(method, path, wait = patience) {
  const response = await send(method, path, AbortSignal.timeout(wait));
  return response.json();
}

/** follow calls take(event) for the events after id, until the connection ends, which is an error or not. */
export async function follow(id, take) {
  const response = await send("GET", `/api/v1/events?last_event_id=${id}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data: ")) take(JSON.parse(line.slice(6)));
    }
  }
}

/** send asks, and if the answer is that a token is needed, asks for that and then again. */
async function send(method, path, signal) {
  for (;;) {
    const token = sessionStorage.getItem(place);
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const response = await fetch(path, { method, headers, signal });
    if (response.ok) return response;
    if (response.status !== 401) throw new Refused(response.status, await reason(response));
    asking ??= wantToken(token !== null)
      .then((text) => sessionStorage.setItem(place, text))
      .finally(() => (asking = null));
    await asking;
    signal = signal && AbortSignal.timeout(patience); // the person had the time of before
  }
}

async function reason(response) {
  try {
    const answer = await response.json();
    if (answer.error) return answer;
  } catch {
    // not JSON: no Sluice says that
  }
  return { error: `status ${response.status}, which no Sluice says` };
}
