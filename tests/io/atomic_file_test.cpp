// SPDX-License-Identifier: Apache-2.0
#include "namid/io/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "namid/core/error.h"
#include "support/temp_folder.h"

namespace namid::io {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t file_count(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder),
                                                std::filesystem::directory_iterator()));
}

std::string failure(const std::filesystem::path& path, std::string_view bytes) {
  try {
    write_file_atomically(path, bytes);
  } catch (const ResourceError& error) {
    return error.what();
  }
  return "no error";
}

TEST(AtomicFile, WritesAndReplaces) {
  const testing::TempFolder folder;
  const auto path = folder / "a.bin";
  write_file_atomically(path, "one");
  EXPECT_EQ(content(path), "one");
  const std::string big(3'000'001, 'x');
  const std::vector<std::string_view> parts{"head", "", big};
  write_file_atomically(path, parts, ReadBack::yes);
  EXPECT_EQ(content(path), "head" + big);
  write_file_atomically(path, "");
  EXPECT_EQ(content(path), "");
  EXPECT_EQ(file_count(folder.path()), 1u) << "no temporary stays";
}

TEST(AtomicFile, WritesIntoTheWorkingFolder) {
  const testing::TempFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  EXPECT_NO_THROW(write_file_atomically("plain", "x"));
  std::filesystem::current_path(before);
  EXPECT_EQ(content(folder / "plain"), "x");
}

TEST(AtomicFile, NamesPathAndCauseOfAFailure) {
  const testing::TempFolder folder;
  write_file_atomically(folder / "file", "x");
  EXPECT_EQ(failure(folder / "file" / "below", "y"),
            (folder / "file" / "below").string() +
                ": cannot create a file in its folder: Not a directory");
  EXPECT_NE(failure(folder / "missing" / "a", "y").find("No such file"), std::string::npos);
  std::filesystem::create_directory(folder / "taken");
  EXPECT_NE(failure(folder / "taken", "y").find("cannot replace the file"), std::string::npos);
  EXPECT_EQ(file_count(folder.path()), 2u) << "no temporary stays";
}

TEST(AtomicFile, AFullDiskLeavesThePreviousFile) {
  const testing::TempFolder folder;
  const auto path = folder / "a";
  write_file_atomically(path, "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);  // a write beyond 1000 bytes fails as one on a full disk does
  const auto message = failure(path, std::string(5000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(message, path.string() + ": cannot write: File too large");
  EXPECT_EQ(content(path), "old");
  EXPECT_EQ(file_count(folder.path()), 1u);
}

TEST(AtomicFile, ThreadsThatWriteTheSameFileDoNotMix) {
  const testing::TempFolder folder;
  const auto path = folder / "shared";
  std::vector<std::thread> threads;
  for (char c = 'a'; c < 'e'; ++c)
    threads.emplace_back([&path, c] {
      for (int i = 0; i < 5; ++i) write_file_atomically(path, std::string(10000, c));
    });
  for (auto& thread : threads) thread.join();
  const auto text = content(path);
  EXPECT_EQ(text, std::string(10000, text.at(0)));
  EXPECT_EQ(file_count(folder.path()), 1u);
}

}  // namespace
}  // namespace namid::io
