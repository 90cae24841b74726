#include "cluster/messenger.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "cluster/memory/memory_network.h"
#include "cluster/peers_fixture.h"

namespace weir::cluster {
namespace {

constexpr NodeId kOne{1};
constexpr NodeId kTwo{2};

/// Two nodes that can tell each other things.
class Pair {
 public:
  virtual ~Pair() = default;
  virtual Messenger& one() = 0;
  virtual Messenger& two() = 0;
};

class MemoryPair : public Pair {
 public:
  Messenger& one() override { return *one_; }
  Messenger& two() override { return *two_; }

 private:
  MemoryNetwork network_;
  std::unique_ptr<Messenger> one_ = network_.join(kOne);
  std::unique_ptr<Messenger> two_ = network_.join(kTwo);
};

class PeerPair : public Pair {
 public:
  Messenger& one() override { return *one_.messenger; }
  Messenger& two() override { return *two_.messenger; }

 private:
  testing::Nodes nodes_;
  testing::Nodes::Node& one_ = nodes_.add(kOne);
  testing::Nodes::Node& two_ = nodes_.add(kTwo);
};

using MakePair = std::unique_ptr<Pair> (*)();

class MessengerTest : public ::testing::TestWithParam<std::pair<const char*, MakePair>> {
 protected:
  template <class Condition>
  bool becomes(const Condition& condition) {
    for (int i = 0; i < 1000 && !condition(); ++i) clock_.sleep_ms(5);
    return condition();
  }
  SystemClock clock_;
  std::unique_ptr<Pair> pair_ = GetParam().second();
  Messenger& one_ = pair_->one();
  Messenger& two_ = pair_->two();
};

TEST_P(MessengerTest, DeliversToWhoListensToTheTopic) {
  std::atomic<int> right = 0;
  std::atomic<int> others = 0;
  const std::string body("with \0 bytes", 12);
  auto grants = two_.subscribe(
      "lock-granted", [&](NodeId from, std::string_view got) { right += from == kOne && got == body ? 1 : 0; });
  auto names = two_.subscribe("names", [&](NodeId, std::string_view) { ++others; });
  one_.tell(NodeId{9}, "lock-granted", "to nobody");
  one_.tell(kTwo, "nobody-listens", "to this");
  one_.tell(kTwo, "lock-granted", body);
  EXPECT_TRUE(becomes([&] { return right == 1; }));
  EXPECT_EQ(others, 0);
}

TEST_P(MessengerTest, ANodeMayTellItselfAndAnswer) {
  std::atomic<int> answers = 0;
  auto asked = two_.subscribe("ask", [&](NodeId from, std::string_view) { two_.tell(from, "answer", ""); });
  auto answered = one_.subscribe("answer", [&](NodeId from, std::string_view) {
    ++answers;
    if (from == kTwo) one_.tell(kOne, "answer", "");
  });
  one_.tell(kTwo, "ask", "");
  EXPECT_TRUE(becomes([&] { return answers == 2; }));
}

TEST_P(MessengerTest, BigAndManyMessagesArrive) {
  std::atomic<int> right = 0;
  const std::string body(limits::kMessageBytes, 'b');
  auto listening = two_.subscribe("word", [&](NodeId, std::string_view got) { right += got == body ? 1 : 0; });
  for (int i = 0; i < 500; ++i) one_.tell(kTwo, "word", body);
  EXPECT_TRUE(becomes([&] { return right == 500; }));
}

TEST_P(MessengerTest, NothingIsHandledAfterASubscriptionEnded) {
  std::atomic<bool> alive = true;
  std::atomic<int> late = 0;
  std::atomic<int> heard = 0;
  auto listening = two_.subscribe("word", [&](NodeId, std::string_view) {
    clock_.sleep_ms(1);
    ++heard;
    if (!alive) ++late;
  });
  for (int i = 0; i < 100; ++i) one_.tell(kTwo, "word", "");
  EXPECT_TRUE(becomes([&] { return heard > 0; }));
  listening.reset();
  alive = false;
  // The topic is free again.
  std::atomic<bool> last = false;
  auto again = two_.subscribe("word", [&](NodeId, std::string_view body) { last = last || body == "last"; });
  one_.tell(kTwo, "word", "last");
  EXPECT_TRUE(becomes([&] { return last.load(); }));
  EXPECT_EQ(late, 0);
}

INSTANTIATE_TEST_SUITE_P(, MessengerTest,
                         ::testing::Values(
                             std::pair<const char*, MakePair>{
                                 "Memory", []() -> std::unique_ptr<Pair> { return std::make_unique<MemoryPair>(); }},
                             std::pair<const char*, MakePair>{
                                 "Peers", []() -> std::unique_ptr<Pair> { return std::make_unique<PeerPair>(); }}),
                         [](const auto& parameter) { return std::string(parameter.param.first); });

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

TEST(PeerMessengerTest, ANodeThatDoesNotAnswerDelaysNobodyElse) {
  testing::Nodes nodes;
  auto& one = nodes.add(kOne);
  auto& two = nodes.add(kTwo);
  // Connections to it are made, and nothing ever comes back.
  auto silent = http::Listener::bind({"127.0.0.1", 0}).value();
  nodes.tell_of({NodeId{3}, "silent", "", silent.address.text(), true});
  std::atomic<int> heard = 0;
  auto listening = two.messenger->subscribe("word", [&](NodeId, std::string_view) { ++heard; });
  for (int i = 0; i < 100; ++i) {
    one.messenger->tell(NodeId{3}, "word", "");
    one.messenger->tell(kTwo, "word", "");
  }
  for (int i = 0; i < 1500 && heard < 100; ++i) nodes.clock.sleep_ms(1);
  EXPECT_EQ(heard, 100);
}

}  // namespace
}  // namespace weir::cluster
