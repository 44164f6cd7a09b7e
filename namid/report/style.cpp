// SPDX-License-Identifier: Apache-2.0
#include "namid/report/style.h"

namespace namid::report {

std::string_view style_sheet() {
  return R"css(
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--soft:#57606a;--rule:#d8dee4;--card:#f6f8fa;
--c0:#0b5cad;--c1:#b33c00;--c2:#1a7042;--c3:#7a3e9d;--c4:#7d5a00;--c5:#a0245e;
--good:#1a7042;--bad:#b3261e;--warn:#7d5a00;--warn-card:#fff8e5}
@media (prefers-color-scheme:dark){:root{--page:#0f1318;--ink:#e6eaef;--soft:#9aa5b1;--rule:#2c343d;
--card:#171d24;--c0:#6cb2ff;--c1:#ff9a62;--c2:#63cf94;--c3:#cba0ea;--c4:#e0b94c;--c5:#f58fbf;
--good:#63cf94;--bad:#ff8a80;--warn:#e0b94c;--warn-card:#241f10}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,header,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.25rem}
footer{padding-top:1rem;padding-bottom:2.5rem;color:var(--soft);font-size:.85rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.4rem 0 .7rem;padding-top:1.1rem;border-top:1px solid var(--rule)}
h3{font-size:1rem;margin:1.3rem 0 .5rem}
p{margin:.5rem 0;max-width:46rem}
a{color:var(--c0)}
.kind{color:var(--soft);margin:0 0 .2rem;font-size:.85rem;letter-spacing:.06em;text-transform:uppercase}
.facts{color:var(--soft);margin:.2rem 0 0}
.note{color:var(--soft);font-size:.9rem}
.state{font-weight:600}.done{color:var(--good)}.failed{color:var(--bad)}
.interrupted,.running{color:var(--warn)}
.alert{border:1px solid var(--warn);border-left-width:4px;border-radius:6px;background:var(--warn-card);
padding:.55rem .9rem;margin:.9rem 0;max-width:none;overflow-wrap:anywhere}
.alert.failed{color:inherit;border-color:var(--bad)}.alert.interrupted,.alert.running{color:inherit}
.alert ul{margin:.3rem 0;padding-left:1.2rem}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(13.5rem,1fr));gap:1rem;margin:1.3rem 0}
.card{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.85rem 1.1rem}
.card p{margin:0}.card .big{font-size:2.3rem;font-weight:650;line-height:1.15}
.card .name{font-weight:600}
.card .c0,.card .c1{fill:none}
.big.c0{color:var(--c0)}.big.c1{color:var(--c1)}.big.c2{color:var(--c2)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1.4rem 2rem}
figure{margin:0;min-width:0}figcaption{font-weight:600;margin-bottom:.35rem}
figcaption .note{font-weight:400;display:block}
.wide{max-width:36rem}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.93rem}
caption{text-align:left;color:var(--soft);font-size:.9rem;padding-bottom:.4rem}
th,td{padding:.34rem 1.1rem .34rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--rule)}
thead th{font-weight:600;color:var(--soft);font-size:.85rem;vertical-align:bottom}
thead th.num{white-space:normal;max-width:10rem}tbody th{font-weight:500}
td.num,th.num{text-align:right;white-space:nowrap}
td.words{overflow-wrap:anywhere;min-width:9rem}
p code{white-space:nowrap;font-size:.9em}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.9rem 1.5rem;margin:.8rem 0}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-weight:500;overflow-wrap:anywhere}
.range{color:var(--soft);font-size:.88em}
pre{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:.75rem 1rem;margin:.6rem 0;
white-space:pre-wrap;overflow-wrap:anywhere;font:.86rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
details{margin:.6rem 0}summary{cursor:pointer;font-weight:600;padding:.25rem 0}
summary:focus-visible,.scroll:focus-visible,a:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
svg.chart{width:100%;height:auto;display:block;overflow:visible}
svg text{fill:currentColor;font-size:11.5px;font-variant-numeric:tabular-nums}
svg .tick{fill:var(--soft)}svg .mid{text-anchor:middle}svg .end{text-anchor:end}
svg .heading{font-weight:600;font-size:12.5px}svg .label{font-weight:600}
svg .grid{stroke:var(--rule);stroke-width:1}svg .axis{stroke:var(--soft);stroke-width:1}
svg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg .band{fill:var(--c0);fill-opacity:.16;stroke:none}
svg .whisker{stroke-width:2}svg .join{stroke:var(--soft);stroke-width:2;opacity:.55}
svg.pair{width:120px;height:14px;vertical-align:middle}
circle.c0,text.c0{fill:var(--c0)}circle.c1,text.c1{fill:var(--c1)}circle.c2,text.c2{fill:var(--c2)}
circle.c3,text.c3{fill:var(--c3)}circle.c4,text.c4{fill:var(--c4)}circle.c5,text.c5{fill:var(--c5)}
path.c0,line.c0{stroke:var(--c0)}path.c1,line.c1{stroke:var(--c1)}path.c2,line.c2{stroke:var(--c2)}
path.c3,line.c3{stroke:var(--c3)}path.c4,line.c4{stroke:var(--c4)}path.c5,line.c5{stroke:var(--c5)}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1.2rem;list-style:none;
padding:0;margin:.8rem 0}
.gallery li{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:.7rem;min-width:0}
.triple{display:grid;grid-template-columns:repeat(3,1fr);gap:.5rem}
.triple img{width:100%;height:auto;aspect-ratio:1;object-fit:contain;image-rendering:pixelated;border-radius:4px;display:block}
.triple span{display:block;font-size:.78rem;color:var(--soft);text-align:center;margin-top:.2rem}
rect.c0{fill:var(--c0)}rect.c1{fill:var(--c1)}rect.c2{fill:var(--c2)}rect.c3{fill:var(--c3)}
rect.c4{fill:var(--c4)}rect.c5{fill:var(--c5)}
.filters{display:flex;flex-wrap:wrap;gap:.35rem .5rem;margin:.6rem 0;padding:0;list-style:none}
.filters a{display:inline-block;border:1px solid var(--rule);border-radius:999px;padding:.1rem .7rem;font-size:.88rem;
text-decoration:none;overflow-wrap:anywhere}.filters a:hover{border-color:var(--c0)}
.mark{scroll-margin-top:6rem}
.verdict{margin:.5rem 0 0;font-size:.9rem;overflow-wrap:anywhere}
@media (max-width:30rem){body{font-size:15px}header{padding-top:1.4rem}h1{font-size:1.5rem}
.card .big{font-size:1.9rem}th,td{padding-right:.8rem}main,header,footer{padding-left:1rem;padding-right:1rem}}
@media print{:root{color-scheme:light;--page:#fff;--ink:#000;--soft:#444;--rule:#bbb;--card:#fff;--c0:#0b5cad;
--c1:#b33c00;--c2:#1a7042;--c3:#7a3e9d;--c4:#7d5a00;--c5:#a0245e;--good:#1a7042;--bad:#b3261e;--warn:#7d5a00;
--warn-card:#fff}body{font-size:10.5pt}h2{break-after:avoid}figure,.card,.gallery li,tr{break-inside:avoid}
main,header,footer{max-width:none;padding:0}img,rect{print-color-adjust:exact}.filters{display:none}.scroll{overflow:visible}}
)css";
}

}  // namespace namid::report
