// SPDX-License-Identifier: Apache-2.0
#include "namid/core/progress.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <sstream>

namespace namid {
namespace {

struct Screen {
  std::ostringstream stream;
  double now = 100;
  ProgressOutput output(bool terminal) {
    return {&stream, terminal, [this] { return now; }};
  }
  std::ptrdiff_t count(char c) {
    const auto text = stream.str();
    return std::count(text.begin(), text.end(), c);
  }
};

TEST(Progress, ShowsBarCountRateAndTimeLeft) {
  Screen screen;
  Progress progress("epoch 3/30", 781, ProgressMode::automatic, 0, screen.output(true));
  for (int i = 1; i <= 412; ++i) {
    screen.now += 1 / 6.4;
    progress.update(i, "loss 1.42");
  }
  const auto text = screen.stream.str();
  EXPECT_EQ(text.substr(text.rfind('\r')),
            "\r\x1b[Kepoch 3/30 [##########          ] 412/781 6.4 it/s ETA 0:58 loss 1.42");
}

TEST(Progress, RedrawsATerminalAtMostTenTimesASecond) {
  Screen screen;
  {
    Progress progress("x", 10000, ProgressMode::automatic, 0, screen.output(true));
    for (int i = 1; i <= 1000; ++i) {
      screen.now += 0.001;
      progress.update(i);
    }
    EXPECT_LE(screen.count('\r'), 11);
    EXPECT_GE(screen.count('\r'), 9);
    EXPECT_EQ(screen.count('\n'), 0);
  }
  EXPECT_EQ(screen.count('\n'), 1) << "the end of its life ends the line";
}

TEST(Progress, WritesPlainLinesElsewhere) {
  Screen screen;
  Progress progress("x", 90, ProgressMode::automatic, 0, screen.output(false));
  for (int i = 1; i <= 90; ++i) {
    screen.now += 1;
    progress.update(i, "loss 2");
  }
  progress.finish();
  progress.finish();
  EXPECT_EQ(screen.count('\r'), 0);
  EXPECT_EQ(screen.count('\n'), 5) << "start, 30 s, 60 s, 90 s, end";
  EXPECT_TRUE(screen.stream.str().starts_with("x [                    ] 0/90\nx [######"));
  EXPECT_TRUE(screen.stream.str().ends_with("[####################] 90/90 1.0 it/s loss 2\n"));
}

TEST(Progress, NoneIsSilent) {
  Screen screen;
  Progress progress("x", 3, ProgressMode::none, 0, screen.output(true));
  screen.now += 100;
  progress.update(2);
  progress.finish();
  EXPECT_EQ(screen.stream.str(), "");
}

TEST(Progress, AResumedLoopCountsOnlyItsOwnItems) {
  Screen screen;
  Progress progress("x", 0, ProgressMode::automatic, 1000, screen.output(false));
  screen.now += 40;
  progress.update(1020);
  EXPECT_TRUE(screen.stream.str().ends_with("x 1020 0.500 it/s\n")) << screen.stream.str();
}

TEST(Progress, RateFollowsAChangeOfPace) {
  Screen screen;
  Progress progress("x", 0, ProgressMode::automatic, 0, screen.output(true));
  std::int64_t done = 0;
  for (int i = 0; i < 50; ++i) screen.now += 1, progress.update(done += 10);
  for (int i = 0; i < 100; ++i) screen.now += 1, progress.update(done += 200);
  EXPECT_TRUE(screen.stream.str().ends_with(" 200 it/s")) << screen.stream.str().substr(5000);
}

TEST(Progress, ClockTextCountsHours) {
  EXPECT_EQ(clock_text(0), "0:00");
  EXPECT_EQ(clock_text(59.6), "1:00");
  EXPECT_EQ(clock_text(725), "12:05");
  EXPECT_EQ(clock_text(3723), "1:02:03");
  EXPECT_EQ(clock_text(-1), "-");
  EXPECT_EQ(clock_text(std::numeric_limits<double>::infinity()), "-");
}

}  // namespace
}  // namespace namid
