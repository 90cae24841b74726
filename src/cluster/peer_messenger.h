#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/thread_pool.h"
#include "cluster/messenger.h"
#include "cluster/peer_client.h"
#include "cluster/topics.h"

namespace weir::cluster {

/// Messages over the peer protocol. To each node they go one after another, so one that does not answer delays no other
/// (docs/peers.md, "Messages").
class PeerMessenger : public Messenger {
 public:
  /// Does not own its arguments, which outlive it.
  PeerMessenger(PeerClient& client, Clock& clock);
  /// What is not sent yet is dropped. Requires: subscriptions have ended, and take() is not called any more.
  ~PeerMessenger() override;

  NodeId self() const override { return client_.self(); }
  void tell(NodeId node, std::string_view topic, std::string_view body) override;
  std::unique_ptr<Subscription> subscribe(std::string topic, Handler handler) override;

  /// A message that came. False: too many wait. Never blocks.
  bool take(NodeId from, std::string topic, std::string body);
  uint64_t dropped() const { return dropped_; }

 private:
  struct Outgoing {
    std::string topic;
    std::string body;
  };
  struct Line {
    std::deque<Outgoing> waiting;
    bool running = false;  // a thread sends from it
  };
  void send_from(NodeId node);
  std::optional<Outgoing> next(NodeId node);
  void send(NodeId node, const Outgoing& message);

  PeerClient& client_;
  Clock& clock_;
  Topics topics_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> dropped_ = 0;
  Mutex mutex_;
  std::map<NodeId, Line> lines_ GUARDED_BY(mutex_);
  ThreadPool handlers_;
  ThreadPool senders_;
};

}  // namespace weir::cluster
