#include "cluster/messenger.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "cluster/memory/memory_network.h"

namespace weir::cluster {
namespace {

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};

TEST(MemoryNetworkTest, DeliversToWhoListensToTheTopic) {
  MemoryNetwork network;
  auto one = network.join(kOne);
  auto two = network.join(kTwo);
  std::string heard;
  std::atomic<int> others = 0;
  auto grants = two->subscribe(
      "lock-granted", [&](NodeId from, std::string_view body) { heard = fmt::format("{} from {}", body, from.value); });
  auto names = two->subscribe("names", [&](NodeId, std::string_view) { ++others; });
  one->tell(kTwo, "lock-granted", "to you");
  one->tell(kTwo, "nobody-listens", "to this");
  one->tell(NodeId{9}, "lock-granted", "to nobody");
  network.drain();
  EXPECT_EQ(heard, "to you from 1");
  EXPECT_EQ(others, 0);
}

TEST(MemoryNetworkTest, ANodeMayTellItselfAndAnswer) {
  MemoryNetwork network;
  auto one = network.join(kOne);
  auto two = network.join(kTwo);
  std::atomic<int> answers = 0;
  auto asked = two->subscribe("ask", [&](NodeId from, std::string_view) { two->tell(from, "answer", ""); });
  auto answered = one->subscribe("answer", [&](NodeId from, std::string_view) {
    ++answers;
    if (from == kTwo) one->tell(kOne, "answer", "");
  });
  one->tell(kTwo, "ask", "");
  network.drain();
  EXPECT_EQ(answers, 2);
}

TEST(MemoryNetworkTest, LosesAndRepeatsAsTold) {
  MemoryNetwork network;
  auto one = network.join(kOne);
  auto two = network.join(kTwo);
  std::atomic<int> heard = 0;
  auto listening = two->subscribe("word", [&](NodeId, std::string_view) { ++heard; });
  network.cut(kTwo, kOne);
  one->tell(kTwo, "word", "");
  network.drain();
  EXPECT_EQ(heard, 0);
  network.mend(kOne, kTwo);
  network.lose_next(1);
  network.repeat_next(1);
  one->tell(kTwo, "word", "lost");
  one->tell(kTwo, "word", "twice");
  one->tell(kTwo, "word", "once");
  network.drain();
  EXPECT_EQ(heard, 3);
}

TEST(MemoryNetworkTest, NothingIsHandledAfterASubscriptionEnded) {
  MemoryNetwork network;
  auto one = network.join(kOne);
  std::atomic<bool> alive = true;
  std::atomic<int> late = 0;
  auto listening = one->subscribe("word", [&](NodeId, std::string_view) {
    if (!alive) ++late;
  });
  for (int i = 0; i < 100; ++i) one->tell(kOne, "word", "");
  listening.reset();
  alive = false;
  network.drain();
  EXPECT_EQ(late, 0);
  // The topic is free again.
  std::atomic<int> heard = 0;
  auto again = one->subscribe("word", [&](NodeId, std::string_view) { ++heard; });
  one->tell(kOne, "word", "");
  network.drain();
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace weir::cluster
