#include "object/faulty/faulty_store.h"

namespace weir::object {

void FaultyStore::script(Operation operation, std::optional<Fault> fault) {
  MutexLock lock(mutex_);
  scripted_[operation].push_back(fault);
}

void FaultyStore::set_chance(Operation operation, Fault fault, unsigned per_mille) {
  MutexLock lock(mutex_);
  chances_[static_cast<size_t>(operation)][static_cast<size_t>(fault)] = per_mille;
}

void FaultyStore::set_delay_ms(int64_t delay_ms) {
  MutexLock lock(mutex_);
  delay_ms_ = delay_ms;
}

void FaultyStore::set_down(bool down) {
  MutexLock lock(mutex_);
  down_ = down;
}

uint64_t FaultyStore::count(Operation operation) const {
  MutexLock lock(mutex_);
  return counts_[static_cast<size_t>(operation)];
}

uint64_t FaultyStore::faults() const {
  MutexLock lock(mutex_);
  return faults_;
}

std::optional<Fault> FaultyStore::draw(Operation operation) {
  if (down_) return Fault::kUnavailable;
  if (auto& script = scripted_[operation]; !script.empty()) {
    std::optional<Fault> fault = script.front();
    script.pop_front();
    return fault;
  }
  const auto& chances = chances_[static_cast<size_t>(operation)];
  for (size_t i = 0; i < kFaults; ++i) {
    if (chances[i] > 0 && random_.below(1000) < chances[i]) return static_cast<Fault>(i);
  }
  return std::nullopt;
}

std::optional<Fault> FaultyStore::begin(Operation operation) {
  std::optional<Fault> fault;
  int64_t delay_ms = 0;
  {
    MutexLock lock(mutex_);
    ++counts_[static_cast<size_t>(operation)];
    fault = draw(operation);
    if (fault) ++faults_;
    if (fault == Fault::kSlow) delay_ms = delay_ms_;
  }
  if (delay_ms > 0) clock_.sleep_ms(delay_ms);
  return fault;
}

template <class T, class Run>
Result<T> FaultyStore::with(std::optional<Fault> fault, Run run) {
  if (fault == Fault::kUnavailable) return error(Code::kUnavailable, "{} does not answer", describe());
  if (fault == Fault::kThrottled) return error(Code::kThrottled, "{} wants fewer requests", describe());
  if (fault == Fault::kNoSpace) return error(Code::kNoSpace, "{} is full", describe());
  Result<T> result = run();
  if (fault == Fault::kLostReply) return error(Code::kUnavailable, "{} stopped answering", describe());
  return result;
}

size_t FaultyStore::damage(std::optional<Fault> fault, std::span<char> bytes) {
  if (bytes.empty()) return 0;
  if (fault == Fault::kShort) return bytes.size() / 2;
  if (fault == Fault::kFlippedByte) {
    MutexLock lock(mutex_);
    bytes[random_.below(bytes.size())] ^= static_cast<char>(1 + random_.below(255));
  }
  return bytes.size();
}

Result<size_t> FaultyStore::get_into(std::string_view name, uint64_t offset, std::span<char> buffer) {
  std::optional<Fault> fault = begin(Operation::kGet);
  ASSIGN_OR_RETURN(size_t got, with<size_t>(fault, [&] { return store_.get_into(name, offset, buffer); }));
  return damage(fault, buffer.first(got));
}

Status FaultyStore::put(std::string_view name, const Payload& payload) {
  return with<void>(begin(Operation::kPut), [&] { return store_.put(name, payload); });
}

Result<std::optional<ObjectInfo>> FaultyStore::head(std::string_view name) {
  return with<std::optional<ObjectInfo>>(begin(Operation::kHead), [&] { return store_.head(name); });
}

Result<ListPage> FaultyStore::list(std::string_view prefix, std::string_view after, size_t limit) {
  return with<ListPage>(begin(Operation::kList), [&] { return store_.list(prefix, after, limit); });
}

Status FaultyStore::remove(std::string_view name) {
  return with<void>(begin(Operation::kRemove), [&] { return store_.remove(name); });
}

Status FaultyStore::remove_all(std::span<const std::string> names) {
  return with<void>(begin(Operation::kRemove), [&] { return store_.remove_all(names); });
}

}  // namespace weir::object
