// SPDX-License-Identifier: Apache-2.0
#include "namid/report/run_data.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/run/run_folder.h"

namespace namid::report {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kDeepestChild = 1;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return file ? text.str() : std::string();
}

std::optional<MetricRow> parse_row(const std::string& line) {
  const json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  MetricRow row{.kind = text_at(parsed, "kind"),
                .step = number_at(parsed, "step").value_or(0),
                .epoch = number_at(parsed, "epoch").value_or(0),
                .values = {}};
  for (const auto& [name, value] : parsed.items()) {
    if (name == "kind" || name == "step" || name == "epoch") continue;
    if (value.is_number()) row.values[name] = value.get<double>();
    if (value.is_null()) row.values[name] = std::numeric_limits<double>::quiet_NaN();
  }
  return row;
}

void read_metrics(RunData& run) {
  std::istringstream lines(read_text(run.path / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    if (auto row = parse_row(line)) {
      run.metrics.push_back(std::move(*row));
    } else {
      ++run.unreadable_rows;
    }
  }
}

RunData load(const fs::path& path, int depth) {
  const auto folder = run::RunFolder::open(path);
  RunData run{
      .path = path, .record = folder.read_record(), .config = {}, .metrics = {}, .children = {}};
  if (!run.record.is_object()) {
    throw DataError(str((path / "run.json").string(), ": expected a JSON object, got ",
                        run.record.type_name()));
  }
  run.config = read_text(path / "config.toml");
  read_metrics(run);
  if (depth >= kDeepestChild) return run;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (fs::is_regular_file(entry.path() / "run.json")) {
      run.children.push_back(load(entry.path(), depth + 1));
    }
  }
  std::sort(run.children.begin(), run.children.end(), [](const RunData& a, const RunData& b) {
    return std::pair(text_at(a.record, "started"), a.path) <
           std::pair(text_at(b.record, "started"), b.path);
  });
  return run;
}

[[noreturn]] void fail(const RunData& run, std::string_view path, const std::string& expected,
                       double got) {
  throw DataError(
      str((run.path / "run.json").string(), ": ", path, ": expected ", expected, ", got ", got));
}

std::optional<double> fraction_at(const RunData& run, const std::string& path) {
  const auto value = number_at(run.record, path);
  if (value && (*value < 0 || *value > 1)) fail(run, path, "a number in [0, 1]", *value);
  return value;
}

}  // namespace

std::string RunData::name() const {
  const fs::path clean = fs::absolute(path).lexically_normal();
  return (clean.has_filename() ? clean : clean.parent_path()).filename().string();
}

const RunData* RunData::child(std::string_view wanted) const {
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const RunData& run) { return run.name() == wanted; });
  return found == children.end() ? nullptr : &*found;
}

RunData load_run(const fs::path& path) {
  return load(path, 0);
}

const json* find_member(const json& document, std::string_view path) {
  const json* member = &document;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string key(path.substr(0, slash));
    if (member->is_object()) {
      const auto found = member->find(key);
      if (found == member->end()) return nullptr;
      member = &*found;
    } else if (member->is_array() && key.size() < 9 &&
               key.find_first_not_of("0123456789") == std::string::npos) {
      const auto index = static_cast<std::size_t>(std::stoul(key));
      if (index >= member->size()) return nullptr;
      member = &(*member)[index];
    } else {
      return nullptr;
    }
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return member;
}

std::string text_at(const json& document, std::string_view path) {
  const json* member = find_member(document, path);
  if (!member) return {};
  if (member->is_string()) return member->get<std::string>();
  if (member->is_number_float()) return shortest(member->get<double>());
  if (member->is_number() || member->is_boolean()) return member->dump();
  return {};
}

std::optional<double> number_at(const json& document, std::string_view path) {
  const json* member = find_member(document, path);
  if (!member || !member->is_number()) return std::nullopt;
  const double value = member->get<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::string option_of(const RunData& run, std::string_view path) {
  return text_at(run.record, str("options/", path));
}

std::optional<Accuracy> accuracy_at(const RunData& run, std::string_view path) {
  const json* member = find_member(run.record, path);
  if (!member) return std::nullopt;
  if (member->is_number()) {
    return Accuracy{.value = fraction_at(run, std::string(path)).value_or(0)};
  }
  const auto value = fraction_at(run, str(path, "/accuracy"));
  if (!value) return std::nullopt;
  Accuracy accuracy{.value = *value, .correct = number_at(run.record, str(path, "/correct"))};
  const auto lower = fraction_at(run, str(path, "/lower"));
  const auto upper = fraction_at(run, str(path, "/upper"));
  if (!lower || !upper) return accuracy;
  if (*lower > *value) fail(run, str(path, "/lower"), str("at most ", *value), *lower);
  if (*upper < *value) fail(run, str(path, "/upper"), str("at least ", *value), *upper);
  accuracy.bounds = {*lower, *upper};
  accuracy.confidence = fraction_at(run, str(path, "/confidence")).value_or(0);
  return accuracy;
}

}  // namespace namid::report
