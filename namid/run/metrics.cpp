// SPDX-License-Identifier: Apache-2.0
#include "namid/run/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/io/atomic_file.h"
#include "namid/io/tfevents.h"
#include "namid/run/metrics_csv.h"

namespace namid::run {
namespace {

namespace fs = std::filesystem;

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A file that whole lines or records are appended to, each by one write.
class Appender {
 public:
  explicit Appender(fs::path path) : path_(std::move(path)) { open(); }
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;
  ~Appender() { ::close(fd_); }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("cannot be written");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void replace(std::string_view bytes) {
    io::write_file_atomically(path_, bytes);
    ::close(fd_);
    open();
  }
  void sync() {
    if (::fsync(fd_) != 0 && errno != EINVAL) fail("cannot be synced");
  }

 private:
  void open() {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd_ < 0) fail("cannot be opened");
  }
  [[noreturn]] void fail(std::string_view what) const {
    throw ResourceError(str(path_.string(), ": ", what, ": ", std::strerror(errno)));
  }
  fs::path path_;
  int fd_ = -1;
};

std::string json_line(const MetricsRow& row) {
  nlohmann::ordered_json json = {{"kind", row.kind}, {"step", row.step}, {"epoch", row.epoch}};
  for (const auto& [name, value] : row.metrics) json[name] = value;  // not finite: null
  return json.dump() + "\n";
}

void check_names(const MetricsRow& row) {
  for (const auto name : {"kind", "step", "epoch"})
    if (row.metrics.contains(name))
      throw OptionError(str("metrics: the name '", name, "' is taken by the row itself"));
}

fs::path event_file(const fs::path& folder) {
  static std::atomic<int> count = 0;  // two files of one second must not share a name
  const auto second = static_cast<std::int64_t>(wall_time());
  return folder /
         str("events.out.tfevents.", second, ".namid.", static_cast<int>(::getpid()), ".", count++);
}

MetricsRow parse_row(const nlohmann::json& json) {
  MetricsRow row{json.at("kind").get<std::string>(), json.at("step").get<std::int64_t>(),
                 json.at("epoch").get<double>()};
  for (const auto& [name, value] : json.items()) {
    if (name == "kind" || name == "step" || name == "epoch") continue;
    row.metrics[name] =
        value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  }
  return row;
}

}  // namespace

std::vector<MetricsRow> read_metrics(const fs::path& folder) {
  const auto path = folder / "metrics.jsonl";
  std::ifstream file(path, std::ios::binary);
  std::vector<MetricsRow> rows;
  int number = 0;
  for (std::string line; std::getline(file, line) && !file.eof();) {  // eof: the line has no end
    ++number;
    try {
      rows.push_back(parse_row(nlohmann::json::parse(line)));
    } catch (const nlohmann::json::exception&) {
      throw DataError(str(path.string(), ":", number, ": expected a JSON object with kind, step, ",
                          "epoch and numbers; remove this line to go on"));
    }
  }
  return rows;
}

struct MetricsWriter::Sinks {
  fs::path folder;
  Appender jsonl, csv, events;
  CsvColumns columns;

  explicit Sinks(const fs::path& where)
      : folder(where),
        jsonl(where / "metrics.jsonl"),
        csv(where / "metrics.csv"),
        events(event_file(where)) {}

  /// Makes the three files agree with the rows that stay.
  void start(std::int64_t resume_step) {
    auto rows = read_metrics(folder);
    if (resume_step >= 0)
      std::erase_if(rows, [&](const MetricsRow& row) { return row.step > resume_step; });
    std::string lines;
    for (const auto& row : rows) lines += json_line(row);
    jsonl.replace(lines);
    rewrite_csv(rows);
    events.append(io::event_file_version(wall_time()));
    if (resume_step >= 0) events.append(io::event_session_start(wall_time(), resume_step + 1));
  }

  void rewrite_csv(const std::vector<MetricsRow>& rows) {
    for (const auto& row : rows) columns.add(row);
    std::string text = rows.empty() ? "" : columns.header();
    for (const auto& row : rows) text += columns.line(row);
    csv.replace(text);
  }
};

MetricsWriter::MetricsWriter(const fs::path& folder, std::int64_t resume_step)
    : sinks_(std::make_unique<Sinks>(folder)) {
  sinks_->start(resume_step);
}
MetricsWriter::~MetricsWriter() = default;
MetricsWriter::MetricsWriter(MetricsWriter&&) noexcept = default;
MetricsWriter& MetricsWriter::operator=(MetricsWriter&&) noexcept = default;

void MetricsWriter::write(const std::string& kind, std::int64_t step, double epoch,
                          const Metrics& metrics) {
  const MetricsRow row{kind, step, epoch, metrics};
  check_names(row);
  sinks_->jsonl.append(json_line(row));
  if (sinks_->columns.add(row))
    sinks_->rewrite_csv(read_metrics(sinks_->folder));
  else
    sinks_->csv.append(sinks_->columns.line(row));
  std::map<std::string, double> scalars;
  for (const auto& [name, value] : metrics) scalars[kind + "/" + name] = value;
  sinks_->events.append(io::event_scalars(wall_time(), step, scalars));
}

void MetricsWriter::flush() {
  sinks_->jsonl.sync();
  sinks_->csv.sync();
  sinks_->events.sync();
}

}  // namespace namid::run
