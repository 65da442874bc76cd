// The page's one style sheet. Colours keep 4.5:1 against their ground in both schemes (WCAG 1.4.3); text says what colour
// says. It is sent inside the page and allowed by its hash.

/** CSS; part of the policy's hash, so that nothing may be put into it at run time. */
export const STYLE = `
:root{color-scheme:light dark;font-size:clamp(.9375rem,.8rem + .16vw,1.3rem);
--ground:#f4f6f8;--surface:#fff;--line:#d8dee4;--text:#1a2129;--quiet:#55606c;--link:#0a58a8;--track:#e3e8ed;--fill:#7fa3c7;--head:#eef2f5;
--shade:rgb(20 30 40/.16);--good:#17692f;--good-ground:#e3f4e8;--warn:#7a4a00;--warn-ground:#fdf0d2;--bad:#a3161c;--bad-ground:#fce5e5;--note:#3d5166;--note-ground:#e6edf4}
@media screen and (prefers-color-scheme:dark){:root{
--ground:#0f1317;--surface:#171c22;--line:#2d353e;--text:#e5eaef;--quiet:#a2adb9;--link:#86bdff;--track:#2a323b;--fill:#5c86b3;--head:#1d242b;
--shade:rgb(0 0 0/.55);--good:#82dba0;--good-ground:#13301e;--warn:#f3c56f;--warn-ground:#35290f;--bad:#ffa29d;--bad-ground:#411a1b;--note:#b6c9de;--note-ground:#202c39}}
*,*::before,*::after{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);font:1rem/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
code{font-family:ui-monospace,"Cascadia Mono","SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.92em}
a{color:var(--link);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:3px}
h1,h2,h3,p,dl,dd,ul,ol{margin:0;padding:0}
.quiet{color:var(--quiet)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:.5rem;top:-4rem;z-index:1;background:var(--surface);padding:.6rem 1rem;border-radius:.4rem}
.skip:focus{top:.5rem}
header,nav,main,footer{max-width:172rem;margin:0 auto;padding:0 clamp(.75rem,2vw,2rem)}
header{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem 1.2rem;padding-top:.9rem}
.brand{font-weight:700;letter-spacing:.01em}
.brand span,.where,.as-of{font-weight:400;color:var(--quiet)}
.live{margin-left:auto;display:flex;align-items:center;gap:.6rem;color:var(--quiet)}
.live[hidden]{display:none}
button{font:inherit;color:var(--text);background:var(--surface);border:1px solid var(--quiet);border-radius:.4rem;padding:.3rem .8rem;min-height:2rem;cursor:pointer}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;padding:.35rem 0 .7rem}
nav a{display:inline-block;padding:.25rem 0}
.stale{background:var(--bad-ground);color:var(--bad);font-weight:600;padding:.7rem 1rem;border-radius:.5rem;margin-bottom:.8rem}
.stale[hidden]{display:none}
.banner{border-radius:.6rem;padding:clamp(.9rem,2vw,1.4rem) clamp(1rem,2vw,1.6rem);border-left:.5rem solid}
.banner h1{font-size:clamp(1.5rem,1.2rem + 1.4vw,2.3rem);line-height:1.15;display:flex;align-items:baseline;gap:.55rem}
.banner p{color:var(--text);margin-top:.3rem}
.banner .mark{font-size:.85em}
.good{color:var(--good);background:var(--good-ground)}
.warn{color:var(--warn);background:var(--warn-ground)}
.bad{color:var(--bad);background:var(--bad-ground)}
.note{color:var(--note);background:var(--note-ground)}
.banner.good,.banner.warn,.banner.bad{border-color:currentColor}
.attention{background:var(--surface);border:1px solid var(--line);border-radius:.6rem;margin-top:.8rem;padding:.8rem clamp(1rem,2vw,1.4rem)}
.attention h2{font-size:1rem}
.attention ol{list-style:none}
.attention li{display:grid;grid-template-columns:6.6rem 1fr;gap:.1rem .8rem;align-items:baseline;padding:.45rem 0}
.attention li+li{border-top:1px solid var(--line)}
.attention li p{color:var(--quiet);grid-column:2}
.badge{display:inline-flex;align-items:baseline;gap:.35em;border-radius:1em;padding:.05em .6em;font-size:.85rem;font-weight:600;white-space:nowrap;justify-self:start}
.badge .mark{font-weight:800}
.tiles{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:.6rem;margin:.8rem 0 1.2rem}
.tiles>div{background:var(--surface);border:1px solid var(--line);border-radius:.6rem;padding:.65rem .9rem .7rem}
.tiles>.tile-warn{border-color:var(--warn);box-shadow:inset 0 .25rem var(--warn)}
.tiles>.tile-bad{border-color:var(--bad);box-shadow:inset 0 .25rem var(--bad)}
.tiles dt{color:var(--quiet);font-size:.88rem}
.tiles dd{font-size:1.5rem;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums}
.tiles dd+dd{font-size:.85rem;font-weight:400;line-height:1.35;color:var(--quiet)}
.columns{columns:52rem;column-gap:1.2rem}
section>h2{font-size:1.2rem;margin-bottom:.2rem}
.columns>section{break-inside:avoid;background:var(--surface);border:1px solid var(--line);border-radius:.6rem;padding:1rem clamp(.8rem,1.6vw,1.4rem) 1.1rem;margin:0 0 1.2rem}
.lead{color:var(--quiet);max-width:110ch}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:0 2rem;align-items:start}
.pair>*{min-width:0}
@container (max-width:28rem){.wide .bar{display:none}}
.wide{container-type:inline-size;overflow-x:auto;margin-top:.9rem;background:
linear-gradient(90deg,var(--surface) 30%,transparent) 0 0/2.5rem 100% no-repeat local,
linear-gradient(270deg,var(--surface) 30%,transparent) right -1px top 0/2.5rem 100% no-repeat local,
linear-gradient(90deg,var(--shade),transparent) 0 0/.9rem 100% no-repeat scroll,
linear-gradient(270deg,var(--shade),transparent) 100% 0/.9rem 100% no-repeat scroll}
table{border-collapse:collapse;width:100%;font-size:.92rem}
caption,.none h3{text-align:left;font-size:.95rem;font-weight:600;padding:.1rem 0 .35rem}
caption span{position:sticky;left:0;display:inline-block;max-width:calc(100vw - 4.2rem)}
.none{margin-top:.9rem}
.none p,.more{color:var(--quiet);font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.38rem .8rem .38rem 0;border-top:1px solid var(--line);overflow-wrap:normal}
th:last-child,td:last-child{padding-right:.2rem}
thead th{border-top:0;border-bottom:1px solid var(--line);color:var(--quiet);font-weight:600;font-size:.85rem;white-space:nowrap;padding-top:.1rem}
tbody tr:first-child>*{border-top:0}
tbody th{font-weight:400}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td time,th time{white-space:nowrap}
td ul{list-style:none;min-width:16rem}
th p,td p{font-size:.92em;overflow-wrap:anywhere}
#reasons tbody th{width:62%}
#reasons th p{min-width:11rem;max-width:75ch;color:var(--text);margin-top:.1rem}
.reason{font-weight:700}
.ref{color:var(--quiet);font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.88em}
.bar{display:inline-block;width:2.8rem;height:.42rem;vertical-align:middle;margin-right:.45rem;border-radius:.2rem}
/* so that bars stand in line, whatever the number beside them */
.figure{display:inline-block;min-width:4.1em}
.days{min-width:5.6em}
.track{fill:var(--track)}
.fill{fill:var(--fill)}
.facts{display:flex;flex-wrap:wrap;gap:.2rem 1.8rem;margin-top:.3rem}
.facts dt{color:var(--quiet);font-size:.85rem}
footer{color:var(--quiet);font-size:.92rem;padding-bottom:2rem}
footer p{max-width:90ch;margin-top:.3rem}
.old #state,.old #sections{filter:grayscale(1)}
@media (min-width:150rem){.tiles{grid-template-columns:repeat(10,minmax(0,1fr))}}
@media (max-width:52rem){.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}.tiles dd{font-size:1.25rem}}
@media (max-width:30rem){.attention li{grid-template-columns:1fr}.attention li p{grid-column:1}.live{margin-left:0}}
@media (prefers-reduced-motion:no-preference){.changed{animation:changed 2s ease-out}@keyframes changed{from{background:var(--note-ground)}}}
@media (forced-colors:active){.badge,.banner,.tiles>div{border:1px solid}.fill{fill:CanvasText}.track{fill:GrayText}}
@media print{:root{color-scheme:light;font-size:9pt}body{background:none}nav,.live,.skip,.stale{display:none}.columns{columns:1}.columns>section{break-inside:auto}tr{break-inside:avoid}.wide{overflow:visible}}
`
