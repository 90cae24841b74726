#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "cluster/messenger.h"

namespace weir::cluster {

/// Who listens to which topic, for implementations of Messenger. Thread-safe. Must outlive its subscriptions.
class Topics {
 public:
  Topics();
  /// Requires: no subscription is left.
  ~Topics();
  std::unique_ptr<Messenger::Subscription> subscribe(std::string topic, Messenger::Handler handler);
  /// Calls the topic's handler in this thread. False: there is none. Blocks as the handler does.
  bool deliver(NodeId from, std::string_view topic, std::string_view body);
  /// What Messenger::tell() asks of a topic.
  static bool is_topic(std::string_view text);

 private:
  struct Entry {
    Messenger::Handler handler;
    size_t calls = 0;  // that run now
    bool ended = false;
  };
  class Ender;
  void end(const std::string& topic);

  Mutex mutex_;
  ConditionVariable changed_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_ GUARDED_BY(mutex_);
};

}  // namespace weir::cluster
