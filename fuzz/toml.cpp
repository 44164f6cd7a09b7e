// SPDX-License-Identifier: Apache-2.0
#include "fuzz/fuzz.h"
#include "namid/core/option_set.h"
#include "namid/io/records.h"

namespace {

struct Sample {
  std::string text = "a";
  int number = 1;
  double fraction = 0.5;
  bool truth = false;
  std::vector<double> list = {};
  static constexpr auto fields() {
    return std::tuple{namid::field("text", &Sample::text, "a text"),
                      namid::field("number", &Sample::number, "a number", namid::at_least(0)),
                      namid::field("fraction", &Sample::fraction, "a fraction"),
                      namid::field("truth", &Sample::truth, "a truth value"),
                      namid::field("list", &Sample::list, "a list")};
  }
};

}  // namespace

void namid::fuzz::parse(io::ByteSpan bytes) {
  Sample options;
  OptionSet set;
  set.add("", options);
  io::apply_toml(set, io::as_text(bytes), "f");
}
