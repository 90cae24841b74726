#include "cluster/memory/memory_network.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/limits.h"

namespace weir::cluster {

namespace {

std::pair<NodeId, NodeId> pair_of(NodeId one, NodeId other) { return {std::min(one, other), std::max(one, other)}; }

}  // namespace

class MemoryNetwork::Member : public Messenger {
 public:
  Member(MemoryNetwork& network, NodeId self)
      : network_(network), self_(self), pool_("messages", limits::kMessageThreads, limits::kMessagesQueued) {}
  ~Member() override { network_.leave(self_); }

  NodeId self() const override { return self_; }
  void tell(NodeId node, std::string_view topic, std::string_view body) override {
    CHECK(Topics::is_topic(topic));
    CHECK(body.size() <= limits::kMessageBytes);
    network_.carry(self_, node, topic, body);
  }
  std::unique_ptr<Subscription> subscribe(std::string topic, Handler handler) override {
    return topics_.subscribe(std::move(topic), std::move(handler));
  }
  /// False when too many wait.
  bool take(NodeId from, std::string topic, std::string body) {
    return pool_.try_submit([this, from, topic = std::move(topic), body = std::move(body)] {
      topics_.deliver(from, topic, body);
      network_.handled();
    });
  }

 private:
  MemoryNetwork& network_;
  const NodeId self_;
  Topics topics_;
  ThreadPool pool_;  // ends first
};

std::unique_ptr<Messenger> MemoryNetwork::join(NodeId node) {
  auto member = std::make_unique<Member>(*this, node);
  MutexLock lock(mutex_);
  CHECK(members_.emplace(node, member.get()).second);
  return member;
}

void MemoryNetwork::cut(NodeId one, NodeId other) {
  MutexLock lock(mutex_);
  cuts_.insert(pair_of(one, other));
}

void MemoryNetwork::mend(NodeId one, NodeId other) {
  MutexLock lock(mutex_);
  cuts_.erase(pair_of(one, other));
}

void MemoryNetwork::lose_next(size_t messages) {
  MutexLock lock(mutex_);
  to_lose_ = messages;
}

void MemoryNetwork::repeat_next(size_t messages) {
  MutexLock lock(mutex_);
  to_repeat_ = messages;
}

void MemoryNetwork::drain() {
  MutexLock lock(mutex_);
  while (on_their_way_ > 0) changed_.wait(mutex_);
}

void MemoryNetwork::carry(NodeId from, NodeId to, std::string_view topic, std::string_view body) {
  MutexLock lock(mutex_);
  auto member = members_.find(to);
  if (member == members_.end() || cuts_.contains(pair_of(from, to))) return;
  if (to_lose_ > 0) {
    --to_lose_;
    return;
  }
  size_t times = 1;
  if (to_repeat_ > 0) {
    --to_repeat_;
    times = 2;
  }
  for (; times > 0; --times)
    if (member->second->take(from, std::string(topic), std::string(body))) ++on_their_way_;
}

void MemoryNetwork::leave(NodeId node) {
  MutexLock lock(mutex_);
  members_.erase(node);
}

void MemoryNetwork::handled() {
  {
    MutexLock lock(mutex_);
    --on_their_way_;
  }
  changed_.notify_all();
}

}  // namespace weir::cluster
