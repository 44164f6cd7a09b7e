// SPDX-License-Identifier: Apache-2.0
#include "namid/run/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/io/atomic_file.h"

namespace namid::run {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, std::string_view what, const char* why) {
  throw ResourceError(str(path.string(), ": ", what, ": ", why));
}

void make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail(path, "cannot be created", error.message().c_str());
}

void check_name(std::string_view what, const std::string& name) {
  const bool wrong = name.empty() || name.front() == '.' || name.size() > 200 ||
                     name.find('/') != std::string::npos || name.find('\0') != std::string::npos;
  if (wrong)
    throw OptionError(
        str(what, ": expected a plain name without '/' or a leading dot, got '", name, "'"));
}

std::string numbered(const std::string& name, int number) {
  const auto digits = std::to_string(number);
  return name + "-" + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits;
}

/// The number behind "<name>-", or 0 where the folder is another run's.
int number_of(const std::string& folder, const std::string& name) {
  if (!folder.starts_with(name + "-")) return 0;
  const auto digits = folder.substr(name.size() + 1);
  if (digits.size() < 3 || digits.size() > 8 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return 0;
  return std::stoi(digits);
}

int highest_number(const fs::path& parent, const std::string& name) {
  int highest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(parent, error))
    highest = std::max(highest, number_of(entry.path().filename().string(), name));
  if (error) fail(parent, "cannot be listed", error.message().c_str());
  return highest;
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad())
    throw DataError(str(path.string(), ": cannot be read; is this a run folder?"));
  return text;
}

void write_record(const fs::path& path, const nlohmann::json& record) {
  const auto replace = nlohmann::json::error_handler_t::replace;  // argv may hold any bytes
  io::write_file_atomically(path, record.dump(2, ' ', false, replace) + "\n");
}

}  // namespace

RunFolder RunFolder::create(const fs::path& root, const std::string& command,
                            const std::string& name) {
  check_name("command", command);
  check_name("name", name);
  const auto parent = root / command;
  make_folders(parent);
  for (int number = highest_number(parent, name) + 1;; ++number) {
    const auto path = parent / numbered(name, number);
    if (::mkdir(path.c_str(), 0777) == 0) {
      write_record(path / "run.json",
                   {{"command", command}, {"status", "running"}, {"started", utc_time()}});
      return RunFolder(path);
    }
    if (errno != EEXIST) fail(path, "cannot be created", std::strerror(errno));
  }
}

RunFolder RunFolder::open(const fs::path& path) {
  RunFolder folder(path);
  folder.read_record();
  return folder;
}

void RunFolder::write_config(const std::string& toml) const {
  io::write_file_atomically(path_ / "config.toml", toml);
}

std::string RunFolder::read_config() const {
  return read_text(path_ / "config.toml");
}

nlohmann::json RunFolder::read_record() const {
  const auto path = path_ / "run.json";
  auto record = nlohmann::json::parse(read_text(path), nullptr, false);
  if (!record.is_object()) throw DataError(str(path.string(), ": is not a JSON object"));
  return record;
}

void RunFolder::update_record(const nlohmann::json& changes) const {
  auto record = read_record();
  record.update(changes, true);
  write_record(path_ / "run.json", record);
}

RunFolder RunFolder::create_child(const std::string& name) const {
  check_name("name", name);
  const auto path = path_ / name;
  if (::mkdir(path.c_str(), 0777) != 0) fail(path, "cannot be created", std::strerror(errno));
  write_record(path / "run.json",
               {{"command", name}, {"status", "running"}, {"started", utc_time()}});
  return RunFolder(path);
}

std::shared_ptr<void> RunFolder::lock() const {
  const auto path = path_ / ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) fail(path, "cannot be opened", std::strerror(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EWOULDBLOCK)
      throw ResourceError(
          str(path_.string(), ": another process works in this run; wait for it or stop it"));
    fail(path, "cannot be locked", std::strerror(error));
  }
  return {reinterpret_cast<void*>(1), [fd](void*) { ::close(fd); }};  // never looked at: a token
}

}  // namespace namid::run
