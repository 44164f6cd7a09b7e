// SPDX-License-Identifier: Apache-2.0
#include "namid/core/format.h"
#include "namid/report/parts.h"
#include "namid/report/results.h"
#include "namid/report/sections.h"

namespace namid::report {
namespace {

constexpr const char* kCertificates = "result/certificates";

std::string share_text(const std::optional<double>& count, const std::optional<double>& n) {
  return count && n && *n > 0 ? fixed(100 * *count / *n, 2) + " %" : std::string();
}

std::string significant(const std::optional<double>& value) {
  return value ? shortest(std::stod(fixed(*value, 6))) : std::string();
}

}  // namespace

void add_certificates(Html& page, const RunData& run) {
  if (!find_member(run.record, kCertificates)) return;
  const auto at = [&](const char* key) {
    return number_at(run.record, str(kCertificates, "/", key));
  };
  const auto text = [&](const char* key) {
    return text_at(run.record, str(kCertificates, "/", key));
  };
  const auto n = at("n");
  std::vector<Cells> table;
  const auto add = [&](const char* key, const char* meaning) {
    table.push_back(
        {words(key), number(count_text(at(key))), number(share_text(at(key), n)), words(meaning)});
  };
  add("certified", "no allowed change alters the class");
  add("unknown", "neither proven nor broken");
  add("broken", "classified wrong, or an attack succeeded");
  add_heading(page, "Certificates");
  add_table(page, "What is known of each image",
            {words("image"), number("count"), number("share"), words("meaning")}, table);
  const auto epsilon = at("epsilon");
  const bool box = text("box") != "false";
  add_fact_table(page, "How it was proven",
                 {{"bound", text("method")},
                  {"ball", epsilon ? str(norm_text(text("norm")), " ", radius_text(*epsilon),
                                         box ? ", images in [0,1]" : ", without the box")
                                   : std::string()},
                  {"smallest certified margin", significant(at("smallest_margin"))},
                  {"float32 logits can be off by about", significant(at("float32_slack"))},
                  {"certified by less than that",
                   at("float32_slack") ? count_text(at("below_float32")) : std::string()},
                  {"time", duration_text(at("seconds"))}});
  add_paragraph(page,
                "A certificate holds for the network in exact arithmetic; run with --certify-fp32 "
                "it must exceed what float32 rounding can do as well.",
                "note");
}

}  // namespace namid::report
