#include "cluster/peer_messenger.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace weir::cluster {

PeerMessenger::PeerMessenger(PeerClient& client, Clock& clock)
    : client_(client),
      clock_(clock),
      handlers_("weir-told", limits::kMessageThreads, limits::kMessagesQueued),
      senders_("weir-tell", limits::kMessageThreads, limits::kMessageNodes) {}

PeerMessenger::~PeerMessenger() { stopping_ = true; }

std::unique_ptr<Messenger::Subscription> PeerMessenger::subscribe(std::string topic, Handler handler) {
  return topics_.subscribe(std::move(topic), std::move(handler));
}

bool PeerMessenger::take(NodeId from, std::string topic, std::string body) {
  return handlers_.try_submit(
      [this, from, topic = std::move(topic), body = std::move(body)] { topics_.deliver(from, topic, body); });
}

void PeerMessenger::tell(NodeId node, std::string_view topic, std::string_view body) {
  CHECK(Topics::is_topic(topic));
  CHECK(body.size() <= limits::kMessageBytes);
  if (node == self()) {
    if (!take(node, std::string(topic), std::string(body))) ++dropped_;
    return;
  }
  {
    MutexLock lock(mutex_);
    Line& line = lines_[node];
    if (line.waiting.size() >= limits::kMessagesQueued) {
      ++dropped_;
      return;
    }
    line.waiting.push_back({std::string(topic), std::string(body)});
    if (line.running) return;
    line.running = true;
  }
  if (senders_.try_submit([this, node] { send_from(node); })) return;
  MutexLock lock(mutex_);
  dropped_ += lines_[node].waiting.size();
  lines_.erase(node);
}

std::optional<PeerMessenger::Outgoing> PeerMessenger::next(NodeId node) {
  MutexLock lock(mutex_);
  auto line = lines_.find(node);
  if (stopping_ || line->second.waiting.empty()) {
    lines_.erase(line);
    return std::nullopt;
  }
  Outgoing message = std::move(line->second.waiting.front());
  line->second.waiting.pop_front();
  return message;
}

void PeerMessenger::send_from(NodeId node) {
  while (auto message = next(node)) send(node, *message);
}

void PeerMessenger::send(NodeId node, const Outgoing& message) {
  http::Patience patience;
  patience.clock = &clock_;
  patience.deadline_ns = clock_.monotonic_ns() + limits::kPeerStallMs * 1'000'000;
  patience.keep_going = [this] { return !stopping_; };
  if (Status sent = client_.post(node, message.topic, message.body, patience); !sent) {
    ++dropped_;
    log::debug("a message about {} is lost: {}", message.topic, sent.error().what);
  }
}

}  // namespace weir::cluster
