// The page's one script: every five seconds it asks for the page again and brings what differs into the one that is shown,
// in place, so that focus, selection and scroll positions stay. It makes no markup out of text (the policy forbids it):
// the browser parses the reply as a document. It is sent inside the page and allowed by its hash.

/** Milliseconds between two looks. */
export const EVERY_MS = 5000

/** JavaScript; part of the policy's hash, so that nothing may be put into it at run time. */
export const SCRIPT = `
'use strict';
(() => {
  const every = ${EVERY_MS};
  const byId = (id) => document.getElementById(id);
  const [live, button, beat, stale, say] = ['live', 'pause', 'beat', 'stale', 'say'].map(byId);
  let paused = false, timer, asking, since, told = '';

  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.id === b.id;
  const attributes = (a, b) => {
    for (const { name } of [...a.attributes]) if (!b.hasAttribute(name)) a.removeAttribute(name);
    for (const { name, value } of b.attributes) if (a.getAttribute(name) !== value) a.setAttribute(name, value);
  };
  const morph = (a, b) => {
    if (!same(a, b)) return a.replaceWith(b);
    if (a.nodeType !== Node.ELEMENT_NODE) {
      if (a.data === b.data) return;
      a.data = b.data;
      return a.parentElement.closest('td')?.classList.add('changed');
    }
    attributes(a, b);
    const wanted = [...b.childNodes], held = [...a.childNodes];
    wanted.forEach((child, i) => held[i] ? morph(held[i], child) : a.append(child));
    for (const child of held.slice(wanted.length)) child.remove();
  };

  const announce = (text) => { if (text !== told) say.textContent = told = text; };
  const clock = () => new Date().toISOString().slice(11, 19) + ' UTC';

  const take = (next) => {
    for (const part of document.querySelectorAll('[data-live]')) {
      const fresh = next.getElementById(part.id);
      if (fresh) morph(part, fresh);
    }
    document.title = next.title;
    byId('icon').href = next.getElementById('icon').getAttribute('href');
    since = undefined;
    stale.hidden = true;
    document.body.classList.remove('old');
    beat.textContent = 'live, every ' + every / 1000 + ' s';
    announce(byId('summary').textContent);
  };
  const failed = () => {
    since ??= clock();
    stale.hidden = false;
    stale.textContent = 'No answer since ' + since + ': what stands here is from before. The gateway may have stopped, or the way to it is cut.';
    document.body.classList.add('old');
    document.title = 'No answer · Tidegate';
    announce(stale.textContent);
  };

  const ask = () => {
    if (asking) return;
    asking = new XMLHttpRequest();
    asking.open('GET', location.pathname);
    asking.responseType = 'document';
    asking.timeout = every;
    asking.onloadend = () => {
      const { status, response } = asking;
      asking = undefined;
      if (paused) return plan();
      const whole = status === 200 && response && response.getElementById('summary');
      // What is being copied must not change under the hand.
      if (whole && getSelection().type !== 'Range') take(response);
      else if (!whole) failed();
      plan();
    };
    asking.send();
  };
  const plan = () => {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(ask, every);
  };

  button.addEventListener('click', () => {
    paused = !paused;
    button.textContent = paused ? 'Resume' : 'Pause';
    beat.textContent = paused ? 'paused at ' + clock() : 'live, every ' + every / 1000 + ' s';
    if (paused) clearTimeout(timer);
    else ask();
  });
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer);
    if (!document.hidden && !paused) ask();
  });
  told = byId('summary').textContent;
  beat.textContent = 'live, every ' + every / 1000 + ' s';
  live.hidden = false;
  byId('still').hidden = true;
  plan();
})();
`
