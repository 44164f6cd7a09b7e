// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace namid::run {

/// How a run stands; the text form is written to run.json.
enum class Status { running, done, failed, interrupted };

/// The folder of one run, `runs/<command>/<name>-NNN/`: config.toml (resolved options, replayable),
/// run.json (record), metrics.jsonl, metrics.csv, TensorBoard events, checkpoints/, ledger.sqlite,
/// report.html, log.txt. The folder is the truth; reports and comparisons read nothing else.
/// It is never overwritten: `create` takes the next free number, safely against other processes.
class RunFolder {
 public:
  /// Creates `<root>/<command>/<name>-NNN` with an exclusive mkdir. Throws ResourceError.
  static RunFolder create(const std::filesystem::path& root, const std::string& command,
                          const std::string& name);
  /// Opens an existing run; DataError if the folder has no readable run.json.
  static RunFolder open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& file) const { return path_ / file; }

  /// Writes config.toml atomically.
  void write_config(const std::string& toml) const;
  std::string read_config() const;

  /// The record: command, argv, status, exit_code, started, ended, seconds, seed, profile, options,
  /// environment (version, commit, torch, CPU, threads, data (name, sha256, shape,
  /// counts), model (name, parameters, sha256), result. `update_record` merges keys and replaces
  /// the file atomically.
  nlohmann::json read_record() const;
  void update_record(const nlohmann::json& changes) const;

  /// One run folder inside another (demo stages): creates `<path>/<name>`.
  RunFolder create_child(const std::string& name) const;

  /// Holds an exclusive lock on the folder while the returned token lives; ResourceError if another
  /// process works in it.
  [[nodiscard]] std::shared_ptr<void> lock() const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Environment of this process for the record: namid version and commit, torch version, CPU model
/// and capability, threads, compiler, operating system.
nlohmann::json environment_record();

/// The most memory this process has held so far, bytes.
std::int64_t peak_memory();

}  // namespace namid::run
