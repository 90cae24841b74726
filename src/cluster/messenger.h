#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "model/ids.h"

namespace weir::cluster {

/// Small words between the nodes of a volume, by topic: "a lock was granted to you". They are hints: one may be lost,
/// come twice, or come late, and two need not arrive in their order. Whoever depends on what a message says reads the
/// metadata. Thread-safe.
class Messenger {
 public:
  /// Called from a thread of the messenger, with no lock held; may block for a moment on the engine, and may tell() and
  /// subscribe(). Several may run at once, also of one topic.
  using Handler = std::function<void(NodeId from, std::string_view body)>;

  /// Ends with its owner.
  class Subscription {
   public:
    /// Blocks: until no call of the handler runs. Never from within one of its own calls.
    virtual ~Subscription() = default;
  };

  virtual ~Messenger() = default;
  virtual NodeId self() const = 0;
  /// Never blocks, and never says whether it arrived: to an unknown or dead node it does not. A node may tell itself.
  /// Requires: a topic of small letters and '-', at most limits::kMessageTopicBytes; a body of at most
  /// limits::kMessageBytes.
  virtual void tell(NodeId node, std::string_view topic, std::string_view body) = 0;
  /// A message without a subscription is dropped. Requires: nobody has the topic. The subscription ends before the
  /// messenger does.
  virtual std::unique_ptr<Subscription> subscribe(std::string topic, Handler handler) = 0;
};

}  // namespace weir::cluster
