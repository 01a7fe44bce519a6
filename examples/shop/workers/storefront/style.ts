/** The page's look: a net of two crossing gradients behind plain type. No asset comes from elsewhere. */
export const style = `
:root { color-scheme: light dark; --ink: #1d2433; --quiet: #5c667a; --paper: #fbfaf8; --card: #ffffffd9; --line: #d9d5cc; --accent: #7a3b69; --good: #24695c; --bad: #a3333d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9e6f0; --quiet: #a3a0b3; --paper: #15141c; --card: #1f1d2ad9; --line: #37344a; --accent: #d69bc4; --good: #7fcab9; --bad: #f0959d; } }
* { box-sizing: border-box; margin: 0; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  background-image: repeating-linear-gradient(60deg, transparent 0 13px, color-mix(in srgb, var(--line) 45%, transparent) 13px 14px), repeating-linear-gradient(-60deg, transparent 0 13px, color-mix(in srgb, var(--line) 45%, transparent) 13px 14px); }
header, main, footer { max-width: 68rem; margin: auto; padding: 1.5rem; }
header { padding-top: 3.5rem; }
h1 { font: 400 3rem/1 Georgia, serif; } h1 i { color: var(--accent); }
h2 { font: 400 1.4rem Georgia, serif; margin-bottom: .75rem; } h3 { font-size: 1rem; }
header p, footer, .goods p, .empty, dt { color: var(--quiet); }
main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); align-items: start; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem; min-width: 0; }
ul { list-style: none; padding: 0; display: grid; gap: 1rem; }
.goods li { border-top: 1px solid var(--line); padding-top: .75rem; }
.goods form { display: flex; justify-content: space-between; align-items: center; margin-top: .5rem; }
.items { gap: .25rem; margin-bottom: 1rem; }
button { font: inherit; color: var(--accent); background: none; border: 1px solid currentColor; border-radius: 2rem; padding: .3rem 1rem; cursor: pointer; }
button:hover, button:focus-visible { color: var(--paper); background: var(--accent); }
button:disabled { opacity: .5; cursor: progress; }
.pay { width: 100%; color: var(--paper); background: var(--accent); padding: .6rem; }
.note { margin-top: 1rem; border-left: 3px solid; padding-left: .75rem; overflow-wrap: anywhere; }
.note dl, #split { display: grid; grid-template-columns: auto 1fr; gap: .15rem .75rem; } dd { margin: 0; }
.good { border-color: var(--good); } .good h3 { color: var(--good); }
.bad { border-color: var(--bad); } p.bad, .bad h3 { color: var(--bad); }
code { font-size: .85em; overflow-wrap: anywhere; }
section > p { margin-bottom: .75rem; }
.switch { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: 1rem; }
#split meter { width: 100%; }
`;
