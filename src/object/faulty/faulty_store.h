#pragma once

#include <array>
#include <deque>
#include <map>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "object/object_store.h"

namespace weir::object {

enum class Operation { kGet, kPut, kHead, kList, kRemove };

enum class Fault {
  kUnavailable,  // not done, Unavailable
  kThrottled,    // not done, Throttled
  kNoSpace,      // not done, NoSpace
  kLostReply,    // done, Unavailable all the same
  kSlow,         // done after `delay_ms`
  kShort,        // a get gives half of the bytes and calls it success, as a store that lost the rest
  kFlippedByte,  // a get gives one byte wrong and calls it success
};

/// Any store, with faults: scripted ones first, then by chance from a seed, so that a run can be repeated.
///
/// Fault model: a whole operation fails before or after it took effect, is late, or a get lies about the bytes. Objects
/// in the store below are never harmed. kShort and kFlippedByte leave other operations than gets alone.
class FaultyStore : public ObjectStore {
 public:
  /// Requires: `store` and `clock` outlive this.
  FaultyStore(ObjectStore& store, Clock& clock, uint64_t seed) : store_(store), clock_(clock), random_(seed) {}

  /// The next `operation` after those scripted before has this fault; nothing: it goes well.
  void script(Operation operation, std::optional<Fault> fault);
  /// From now on every `operation` without a scripted outcome has this fault `per_mille` times in a thousand.
  void set_chance(Operation operation, Fault fault, unsigned per_mille);
  void set_delay_ms(int64_t delay_ms);
  /// While down, everything is Unavailable.
  void set_down(bool down);

  /// Operations asked for so far, failed ones included.
  uint64_t count(Operation operation) const;
  uint64_t faults() const;

  Result<size_t> get_into(std::string_view name, uint64_t offset, std::span<char> buffer) override;
  Status put(std::string_view name, const Payload& payload) override;
  Result<bool> checks_digests() override { return store_.checks_digests(); }
  Result<std::optional<ObjectInfo>> head(std::string_view name) override;
  Result<ListPage> list(std::string_view prefix, std::string_view after, size_t limit) override;
  Status remove(std::string_view name) override;
  Status remove_all(std::span<const std::string> names) override;
  std::string describe() const override { return store_.describe(); }

 private:
  static constexpr size_t kOperations = 5;
  static constexpr size_t kFaults = 7;

  std::optional<Fault> draw(Operation operation) REQUIRES(mutex_);
  /// Counts the operation and waits where its fault says so.
  std::optional<Fault> begin(Operation operation);
  size_t damage(std::optional<Fault> fault, std::span<char> bytes);
  /// `run` with its fault before or after it.
  template <class T, class Run>
  Result<T> with(std::optional<Fault> fault, Run run);

  ObjectStore& store_;
  Clock& clock_;
  mutable Mutex mutex_;
  SeededRandom random_ GUARDED_BY(mutex_);
  std::map<Operation, std::deque<std::optional<Fault>>> scripted_ GUARDED_BY(mutex_);
  std::array<std::array<unsigned, kFaults>, kOperations> chances_ GUARDED_BY(mutex_) = {};
  std::array<uint64_t, kOperations> counts_ GUARDED_BY(mutex_) = {};
  uint64_t faults_ GUARDED_BY(mutex_) = 0;
  int64_t delay_ms_ GUARDED_BY(mutex_) = 100;
  bool down_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir::object
