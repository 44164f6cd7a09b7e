// SPDX-License-Identifier: Apache-2.0
#include "namid/core/tensor_parallel.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

namespace namid {
namespace {

class ParallelFor : public ::testing::Test {
 protected:
  void SetUp() override { at::set_num_threads(2); }
  void TearDown() override { at::set_num_threads(threads_); }

 private:
  int threads_ = at::get_num_threads();
};

TEST_F(ParallelFor, VisitsEachIndexOnce) {
  std::vector<std::atomic<int>> visits(1000);
  parallel_for(3, 1000, 7, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
  });
  for (std::size_t i = 0; i < visits.size(); ++i) EXPECT_EQ(visits[i], i >= 3) << i;
}

TEST_F(ParallelFor, NothingIsNotCalled) {
  parallel_for(5, 5, 1, [](std::int64_t, std::int64_t) { FAIL(); });
}

TEST_F(ParallelFor, EachIndexIsTakenOnce) {
  std::vector<std::atomic<int>> visits(1000);
  parallel_each(1000, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
  for (const auto& visited : visits) EXPECT_EQ(visited, 1);
  parallel_each(0, [](std::int64_t) { FAIL(); });
}

TEST_F(ParallelFor, AThreadThatIsHeldUpHoldsNoOtherUp) {
  std::mutex mutex;
  std::condition_variable done;
  int others = 0;
  bool seen = false;
  parallel_each(100, [&](std::int64_t i) {
    std::unique_lock lock(mutex);
    if (i == 0) {
      seen = done.wait_for(lock, std::chrono::seconds(60), [&] { return others == 99; });
    } else if (++others == 99) {
      done.notify_all();
    }
  });
  EXPECT_TRUE(seen);
}

TEST_F(ParallelFor, AnErrorOfOneIndexIsThrown) {
  EXPECT_THROW(parallel_each(10,
                             [](std::int64_t i) {
                               if (i == 7) throw std::runtime_error("seven");
                             }),
               std::runtime_error);
}

/// Each of two pieces waits until the other has begun.
TEST_F(ParallelFor, PiecesRunAtTheSameTime) {
  std::mutex mutex;
  std::condition_variable arrived;
  int begun = 0;
  std::atomic<int> met = 0;
  parallel_for(0, 2, 1, [&](std::int64_t, std::int64_t) {
    std::unique_lock lock(mutex);
    ++begun;
    arrived.notify_all();
    met += arrived.wait_for(lock, std::chrono::seconds(60), [&] { return begun == 2; });
  });
  EXPECT_EQ(met, 2);
}

TEST_F(ParallelFor, FirstErrorInOrderIsThrownWhenAllHaveEnded) {
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::atomic<int> ended = 0;
    const auto piece = [&](std::int64_t begin, std::int64_t) {
      ++ended;
      throw std::runtime_error(std::to_string(begin));
    };
    try {
      parallel_for(0, 100, 1, piece);
      FAIL();
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "0");
    }
    EXPECT_EQ(ended, 2);
  }
}

TEST_F(ParallelFor, LoopsInsideOfLoopsEnd) {
  std::atomic<int> count = 0;
  parallel_for(0, 4, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i)
      parallel_for(0, 5, 1,
                   [&](std::int64_t a, std::int64_t b) { count += static_cast<int>(b - a); });
  });
  EXPECT_EQ(count, 20);
}

}  // namespace
}  // namespace namid
