// SPDX-License-Identifier: Apache-2.0
#include "namid/report/report.h"

#include "namid/core/format.h"
#include "namid/io/atomic_file.h"
#include "namid/report/gallery_filters.h"
#include "namid/report/model_card.h"
#include "namid/report/parts.h"
#include "namid/report/sections.h"
#include "namid/report/style.h"

namespace namid::report {
namespace {

void add_footer(Html& page, const RunData& run) {
  const std::string version = text_at(run.record, "environment/version");
  page.open("footer").element(
      "p", str("Written by namid", version.empty() ? "" : " " + version,
               " from the run folder alone. This page has no scripts and loads nothing."));
  page.close();
}

std::string card_text(const RunData& run) {
  using nlohmann::json;
  return model_card(run).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::filesystem::path write_report(const std::filesystem::path& path) {
  const RunData run = load_run(path);
  Html page;
  page.open("header");
  add_title(page, run);
  page.close().open("main");
  add_headline(page, run);
  add_alarms(page, run);
  add_accuracies(page, run);
  if (const auto evidence = read_evidence(run)) {
    add_overlap(page, run, *evidence);
    add_norms(page, run, *evidence);
  }
  add_security_curve(page, run);
  add_certificates(page, run);
  add_masking(page, run);
  add_attack(page, run);
  add_curves(page, run);
  add_scores(page, run);
  add_studies(page, run);
  add_reproduction(page, run);
  add_matrix(page, run);
  add_classes(page, run);
  add_gallery(page, run);
  add_cost(page, run);
  add_model_card(page, run);
  add_provenance(page, run);
  page.close();
  add_footer(page, run);
  const std::filesystem::path file = path / "report.html";
  if (has_model_card(run)) io::write_file_atomically(path / "model_card.json", card_text(run));
  io::write_file_atomically(file, html_page(str(run.name(), " – namid report"),
                                            str(style_sheet(), filter_rules()), page));
  return file;
}

}  // namespace namid::report
