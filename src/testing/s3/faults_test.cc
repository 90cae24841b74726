// Each fault as a client meets it, on a real connection.

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "testing/s3/fault_plan.h"
#include "testing/s3/fault_server_fixture.h"

namespace weir::testing::s3 {
namespace {

constexpr std::string_view kContent = "0123456789";

class Faults : public FaultServerFixture {
 protected:
  Faults() { EXPECT_EQ(put("key", kContent).status, 200); }

  /// What the next GET meets, and that the one after it meets nothing.
  RawAnswer get_with(FaultKind kind, std::optional<uint64_t> bytes = {}, const Headers& headers = {}) {
    const uint64_t before = server_->faults().given()[std::string(name_of(kind))];
    give(kind, "GetObject", bytes);
    RawAnswer answer = get("key", headers);
    EXPECT_EQ(get("key").body, kContent);
    EXPECT_EQ(server_->faults().given()[std::string(name_of(kind))], before + 1);
    return answer;
  }

  static std::string status_and_code(const RawAnswer& answer) {
    return fmt::format("{} {}", answer.status, answer.code());
  }

  static int64_t elapsed_ms(const std::function<void()>& work) {
    const SystemClock clock;
    const int64_t start_ns = clock.monotonic_ns();
    work();
    return (clock.monotonic_ns() - start_ns) / 1'000'000;
  }
};

TEST_F(Faults, ErrorsInsteadOfTheAnswer) {
  EXPECT_EQ(status_and_code(get_with(FaultKind::kSlowDown)), "503 SlowDown");
  EXPECT_EQ(status_and_code(get_with(FaultKind::kTooManyRequests)), "429 TooManyRequests");
  EXPECT_EQ(status_and_code(get_with(FaultKind::kInternalError)), "500 InternalError");
  EXPECT_EQ(status_and_code(get_with(FaultKind::kExpiredToken)), "400 ExpiredToken");
  EXPECT_EQ(status_and_code(get_with(FaultKind::kAccessDenied)), "403 AccessDenied");
  const RawAnswer gateway = get_with(FaultKind::kBadGateway);
  EXPECT_EQ(gateway.status, 502);
  EXPECT_TRUE(gateway.body.starts_with("<html>"));
}

TEST_F(Faults, StatusAndBodyThatDisagree) {
  const RawAnswer error = get_with(FaultKind::kErrorWithData);
  EXPECT_EQ(error.status, 500);
  EXPECT_EQ(error.body, kContent);
  EXPECT_EQ(status_and_code(get_with(FaultKind::kOkWithError)), "200 InternalError");
}

TEST_F(Faults, APutThatAnErrorAnswersIsNotDone) {
  give(FaultKind::kInternalError, "PutObject");
  EXPECT_EQ(put("other", "x").status, 500);
  EXPECT_EQ(server_->objects().get("bucket", "other"), nullptr);
}

TEST_F(Faults, BodiesThatEndEarly) {
  const RawAnswer cut = get_with(FaultKind::kShortBody, 4);
  EXPECT_EQ(cut.ending, Ending::kShort);
  EXPECT_EQ(cut.header("content-length"), "10");
  EXPECT_EQ(cut.body, "0123");
  EXPECT_EQ(get_with(FaultKind::kResetResponse, 4).ending, Ending::kReset);
  EXPECT_EQ(get_with(FaultKind::kShortBody).body, "01234");  // half, when it is not said where
}

TEST_F(Faults, BodiesOfWrongLengthThatSayTheyAreRight) {
  const RawAnswer truncated = get_with(FaultKind::kShortLength, 4);
  EXPECT_EQ(truncated.ending, Ending::kWhole);
  EXPECT_EQ(truncated.header("content-length"), "4");
  EXPECT_EQ(truncated.body, "0123");
  EXPECT_EQ(get_with(FaultKind::kLongBody, 2).body, "0123456789xx");
}

TEST_F(Faults, WrongBytesOfRightLength) {
  const RawAnswer wrong = get_with(FaultKind::kWrongBytes, 3);
  EXPECT_EQ(wrong.status, 200);
  EXPECT_EQ(wrong.body, "0122456789");
}

TEST_F(Faults, OtherRangesThanAskedFor) {
  const Headers asked = {{"Range", "bytes=2-4"}};
  const RawAnswer honest = get_with(FaultKind::kWrongRange, {}, asked);
  EXPECT_EQ(honest.body, "123");
  EXPECT_EQ(honest.header("content-range"), "bytes 1-3/10");
  const RawAnswer lying = get_with(FaultKind::kLyingRange, {}, asked);
  EXPECT_EQ(lying.body, "123");
  EXPECT_EQ(lying.header("content-range"), "bytes 2-4/10");
  const RawAnswer ignored = get_with(FaultKind::kIgnoredRange, {}, asked);
  EXPECT_EQ(ignored.status, 200);
  EXPECT_EQ(ignored.body, kContent);
  EXPECT_EQ(ignored.header("content-range"), "");
}

TEST_F(Faults, LostResponsesToWhatWasDone) {
  give(FaultKind::kLostResponse, "PutObject");
  const RawAnswer lost = put("lost", "x");
  EXPECT_EQ(lost.ending, Ending::kShort);
  EXPECT_EQ(lost.status, 0);
  give(FaultKind::kLostByReset, "PutObject");
  EXPECT_EQ(put("reset", "x").ending, Ending::kReset);
  EXPECT_NE(server_->objects().get("bucket", "lost"), nullptr);
  EXPECT_NE(server_->objects().get("bucket", "reset"), nullptr);
  EXPECT_EQ(server_->counters().object("bucket/lost").puts_done, 1U);
}

TEST_F(Faults, ARequestThatIsResetIsNotDone) {
  give(FaultKind::kResetRequest, "PutObject", 1000);
  EXPECT_EQ(put("big", std::string(1 << 20, 'x')).ending, Ending::kReset);
  EXPECT_EQ(server_->objects().get("bucket", "big"), nullptr);
  const ObjectCounters counters = server_->counters().object("bucket/big");
  EXPECT_EQ(counters.puts, 1U);
  EXPECT_EQ(counters.puts_whole, 0U);
  EXPECT_EQ(counters.bytes_received, 1000U);
}

TEST_F(Faults, SlowAnswersComeWholeInTheEnd) {
  RawAnswer answer;
  give(FaultKind::kSlowFirstByte, "GetObject", {}, 200);
  EXPECT_GE(elapsed_ms([&] { answer = get("key"); }), 200);
  EXPECT_EQ(answer.body, kContent);
  EXPECT_EQ(put("slow", std::string(600, 'x')).status, 200);
  give(FaultKind::kSlowBody);  // 2,000 bytes a second
  EXPECT_GE(elapsed_ms([&] { answer = get("slow"); }), 250);
  EXPECT_EQ(answer.body, std::string(600, 'x'));
  give(FaultKind::kSlowRequest, "PutObject");
  EXPECT_GE(elapsed_ms([&] { answer = put("slow", std::string(600, 'y')); }), 250);
  EXPECT_EQ(answer.status, 200);
}

TEST_F(Faults, StallsLastUntilTheClientGivesUp) {
  RawClient impatient = client();
  impatient.set_timeout_ms(1000);
  give(FaultKind::kStall, "GetObject", 4);
  const RawAnswer answer = impatient.request("GET", "/bucket/key");
  EXPECT_EQ(answer.ending, Ending::kTimedOut);
  EXPECT_EQ(answer.body, "0123");
  give(FaultKind::kStallRequest, "PutObject", 4);
  EXPECT_EQ(impatient.request("PUT", "/bucket/other", kContent).ending, Ending::kTimedOut);
  EXPECT_EQ(server_->objects().get("bucket", "other"), nullptr);
}

TEST_F(Faults, StaleLists) {
  const auto list = [&] { return client().request("GET", "/bucket?list-type=2").body; };
  give(FaultKind::kStaleList, "ListObjects", {}, 3'600'000);
  EXPECT_EQ(list().find("<Key>key</Key>"), std::string::npos);
  EXPECT_NE(list().find("<Key>key</Key>"), std::string::npos);
}

TEST_F(Faults, OutOfReach) {
  RawClient impatient = client();
  impatient.set_timeout_ms(200);
  server_->refuse_connections();
  EXPECT_EQ(get("key").ending, Ending::kRefused);
  ASSERT_TRUE(server_->accept_connections());
  EXPECT_EQ(get("key").body, kContent);
  server_->set_unreachable(true);
  EXPECT_EQ(impatient.request("GET", "/bucket/key").ending, Ending::kTimedOut);
  server_->counters().reset();
  std::thread waiting([&] { EXPECT_EQ(get("key").ending, Ending::kShort); });
  while (server_->counters().values().requests["GetObject"] == 0) std::this_thread::yield();
  server_->set_unreachable(false);
  waiting.join();
  EXPECT_EQ(get("key").body, kContent);
}

TEST_F(Faults, HeldRequestsAreDoneWhenItEnds) {
  RawClient impatient = client();
  impatient.set_timeout_ms(200);
  server_->set_holding(true);
  EXPECT_EQ(impatient.request("GET", "/bucket/key").ending, Ending::kTimedOut);
  std::thread waiting([&] { EXPECT_EQ(get("key").body, kContent); });
  server_->set_holding(false);
  waiting.join();
}

TEST_F(Faults, AWrongClockOfTheServer) {
  server_->set_clock_skew_ms(-3'600'000);
  EXPECT_EQ(get("key").code(), "RequestTimeTooSkewed");
  server_->set_clock_skew_ms(0);
  EXPECT_EQ(get("key").status, 200);
}

TEST_F(Faults, ARateAboveWhichItSaysSlowDown) {
  server_->rate().set({.requests_per_second = 0.001, .burst_ms = 2'000'000});  // two requests
  EXPECT_EQ(get("key").status, 200);
  EXPECT_EQ(put("key", "x").status, 200);
  EXPECT_EQ(status_and_code(get("key")), "503 SlowDown");
  EXPECT_EQ(status_and_code(put("key", "y")), "503 SlowDown");
  EXPECT_EQ(server_->objects().get("bucket", "key")->bytes, "x");
  EXPECT_EQ(server_->counters().values().answers["503 SlowDown"], 2U);
}

TEST_F(Faults, AreGivenToWhomTheyAreMeantForAndAsOften) {
  EXPECT_TRUE(server_->faults().add({.kind = FaultKind::kInternalError,
                                     .operations = {"GetObject", "PutObject"},
                                     .key_prefix = "chunks/",
                                     .skip = 1,
                                     .count = 2}));
  EXPECT_EQ(get("key").status, 200);
  EXPECT_EQ(put("chunks/1", "x").status, 200);  // skipped
  EXPECT_EQ(client().request("HEAD", "/bucket/chunks/1").status, 200);
  EXPECT_EQ(put("chunks/1", "x").status, 500);
  EXPECT_EQ(get("chunks/1").status, 500);
  EXPECT_EQ(get("chunks/1").status, 200);
}

TEST(FaultPlanTest, TheSameSeedHasTheSameFaults) {
  const auto pattern = [](uint64_t seed) {
    FaultPlan plan(seed);
    EXPECT_TRUE(plan.add({.kind = FaultKind::kSlowDown, .per_mille = 300}));
    std::string text;
    for (int i = 0; i < 1000; i++) text += plan.choose({Operation::kGetObject, "bucket", "key"}) ? '!' : '.';
    return text;
  };
  const std::string first = pattern(7);
  EXPECT_EQ(first, pattern(7));
  EXPECT_NE(first, pattern(8));
  EXPECT_NEAR(static_cast<double>(std::count(first.begin(), first.end(), '!')), 300, 60);
}

TEST(FaultPlanTest, EveryKindHasAName) {
  for (int kind = 0; kind <= static_cast<int>(FaultKind::kStaleList); kind++) {
    EXPECT_EQ(fault_kind(name_of(static_cast<FaultKind>(kind))), static_cast<FaultKind>(kind));
  }
  EXPECT_FALSE(fault_kind("no such fault"));
}

}  // namespace
}  // namespace weir::testing::s3
