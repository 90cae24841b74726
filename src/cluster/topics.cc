#include "cluster/topics.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"

namespace weir::cluster {

class Topics::Ender : public Messenger::Subscription {
 public:
  Ender(Topics& topics, std::string topic) : topics_(topics), topic_(std::move(topic)) {}
  ~Ender() override { topics_.end(topic_); }

 private:
  Topics& topics_;
  const std::string topic_;
};

Topics::Topics() = default;

Topics::~Topics() {
  MutexLock lock(mutex_);
  CHECK(entries_.empty());
}

bool Topics::is_topic(std::string_view text) {
  return !text.empty() && text.size() <= limits::kMessageTopicBytes &&
         std::all_of(text.begin(), text.end(),
                     [](char letter) { return (letter >= 'a' && letter <= 'z') || letter == '-'; });
}

std::unique_ptr<Messenger::Subscription> Topics::subscribe(std::string topic, Messenger::Handler handler) {
  CHECK(is_topic(topic));
  auto entry = std::make_shared<Entry>();
  entry->handler = std::move(handler);
  MutexLock lock(mutex_);
  CHECK(entries_.emplace(topic, std::move(entry)).second);
  return std::make_unique<Ender>(*this, std::move(topic));
}

bool Topics::deliver(NodeId from, std::string_view topic, std::string_view body) {
  std::shared_ptr<Entry> entry;
  {
    MutexLock lock(mutex_);
    auto place = entries_.find(topic);
    if (place == entries_.end() || place->second->ended) return false;
    entry = place->second;
    ++entry->calls;
  }
  entry->handler(from, body);
  {
    MutexLock lock(mutex_);
    --entry->calls;
  }
  changed_.notify_all();
  return true;
}

void Topics::end(const std::string& topic) {
  MutexLock lock(mutex_);
  std::shared_ptr<Entry> entry = entries_.at(topic);
  entry->ended = true;
  while (entry->calls > 0) changed_.wait(mutex_);
  entries_.erase(topic);
}

}  // namespace weir::cluster
