#include "meta/lock_row.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/limits.h"

namespace weir::meta {

namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kOwnerBytes = 4 + 8 + 8 + 4 + 1;
constexpr size_t kHeldBytes = 4 + 1 + 8 + 8;
constexpr size_t kWaiterBytes = kHeldBytes + 8;

/// What many locks of one table have in common.
struct Owner {
  NodeId node;
  uint64_t epoch = 0;
  uint64_t owner = 0;
  uint32_t pid = 0;
  LockKind kind = LockKind::kPosix;
  auto operator<=>(const Owner&) const = default;
};

Owner owner_of(const NodeLock& lock) { return {lock.node, lock.epoch, lock.owner, lock.pid, lock.kind}; }

class Owners {
 public:
  uint32_t number_of(const NodeLock& lock) {
    auto [place, added] = numbers_.try_emplace(owner_of(lock), static_cast<uint32_t>(all_.size()));
    if (added) all_.push_back(place->first);
    return place->second;
  }
  void encode(Encoder& encoder) const {
    encoder.u32(static_cast<uint32_t>(all_.size()));
    for (const Owner& owner : all_)
      encoder.u32(owner.node.value)
          .u64(owner.epoch)
          .u64(owner.owner)
          .u32(owner.pid)
          .u8(static_cast<uint8_t>(owner.kind));
  }

 private:
  std::map<Owner, uint32_t> numbers_;
  std::vector<Owner> all_;
};

uint32_t read_count(Decoder& decoder, size_t item_bytes) {
  const uint32_t count = decoder.u32();
  if (count > decoder.remaining() / item_bytes) decoder.fail();
  return decoder.failed() ? 0 : count;
}

std::vector<Owner> read_owners(Decoder& decoder) {
  std::vector<Owner> owners(read_count(decoder, kOwnerBytes));
  for (Owner& owner : owners) {
    owner.node.value = decoder.u32();
    owner.epoch = decoder.u64();
    owner.owner = decoder.u64();
    owner.pid = decoder.u32();
    const uint8_t kind = decoder.u8();
    if (kind > static_cast<uint8_t>(LockKind::kFlock)) decoder.fail();
    owner.kind = static_cast<LockKind>(kind);
  }
  return owners;
}

void write_lock(Encoder& encoder, Owners& owners, const NodeLock& lock) {
  encoder.u32(owners.number_of(lock)).u8(static_cast<uint8_t>(lock.type)).u64(lock.first).u64(lock.last);
}

NodeLock read_lock(Decoder& decoder, const std::vector<Owner>& owners) {
  NodeLock lock;
  const uint32_t number = decoder.u32();
  const uint8_t type = decoder.u8();
  lock.first = decoder.u64();
  lock.last = decoder.u64();
  if (number >= owners.size() || type > static_cast<uint8_t>(LockType::kWrite) || lock.first > lock.last) {
    decoder.fail();
    return lock;
  }
  const Owner& owner = owners[number];
  lock.type = static_cast<LockType>(type);
  lock.node = owner.node;
  lock.epoch = owner.epoch;
  lock.owner = owner.owner;
  lock.pid = owner.pid;
  lock.kind = owner.kind;
  return lock;
}

bool same_owner(const NodeLock& a, const NodeLock& b) { return a.is_of(b.node, b.kind, b.owner); }

}  // namespace

const NodeLock* LockRow::conflict_with(const NodeLock& wanted) const {
  for (const NodeLock& one : held)
    if (!same_owner(one, wanted) && exclude(one, wanted)) return &one;
  return nullptr;
}

void LockRow::apply(const NodeLock& wanted) {
  std::vector<NodeLock> next;
  next.reserve(held.size() + 2);
  NodeLock merged = wanted;
  for (const NodeLock& one : held) {
    const bool mine = same_owner(one, wanted);
    if (mine && one.type == wanted.type && touch(one, merged)) {
      merged.first = std::min(merged.first, one.first);
      merged.last = std::max(merged.last, one.last);
    } else if (mine && overlap(one, wanted)) {
      NodeLock rest = one;
      rest.last = wanted.first - 1;
      if (one.first < wanted.first) next.push_back(rest);
      rest = one;
      rest.first = wanted.last + 1;
      if (one.last > wanted.last) next.push_back(rest);
    } else {
      next.push_back(one);
    }
  }
  if (wanted.type != LockType::kNone) next.push_back(merged);
  held = std::move(next);
}

bool LockRow::covers(const NodeLock& wanted) const {
  std::vector<std::pair<uint64_t, uint64_t>> mine;
  for (const NodeLock& one : held)
    if (same_owner(one, wanted) && (one.type == wanted.type || one.type == LockType::kWrite))
      mine.emplace_back(one.first, one.last);
  std::sort(mine.begin(), mine.end());
  uint64_t next = wanted.first;  // bytes before it are held
  for (const auto& [first, last] : mine) {
    if (first > next) return false;
    if (last >= wanted.last) return true;
    if (last >= next) next = last + 1;
  }
  return false;
}

bool LockRow::holds_any(NodeId node, LockKind kind, uint64_t owner) const {
  return std::any_of(held.begin(), held.end(), [&](const NodeLock& one) { return one.is_of(node, kind, owner); });
}

const LockWaiter* LockRow::waiter(NodeId node, uint64_t request) const {
  auto found =
      std::find_if(waiting.begin(), waiting.end(), [&](const LockWaiter& one) { return one.is_of(node, request); });
  return found == waiting.end() ? nullptr : &*found;
}

bool LockRow::remove_waiter(NodeId node, uint64_t request) {
  return std::erase_if(waiting, [&](const LockWaiter& one) { return one.is_of(node, request); }) > 0;
}

bool LockRow::release_owner(NodeId node, LockKind kind, uint64_t owner) {
  return std::erase_if(held, [&](const NodeLock& one) { return one.is_of(node, kind, owner); }) > 0;
}

std::vector<LockWaiter> LockRow::grant() {
  std::vector<LockWaiter> granted;
  std::vector<LockWaiter> rest;
  for (LockWaiter& one : waiting) {
    const bool free = conflict_with(one.wanted) == nullptr;
    if (free) apply(one.wanted);
    (free ? granted : rest).push_back(one);
  }
  waiting = std::move(rest);
  return granted;
}

std::vector<Bytes> LockRow::encode(uint64_t stamp) const {
  if (empty()) return {};
  Owners owners;
  Encoder locks;
  locks.u32(static_cast<uint32_t>(held.size()));
  for (const NodeLock& one : held) write_lock(locks, owners, one);
  locks.u32(static_cast<uint32_t>(waiting.size()));
  for (const LockWaiter& one : waiting) {
    write_lock(locks, owners, one.wanted);
    locks.u64(one.request);
  }
  Encoder whole;
  owners.encode(whole);
  whole.raw(locks.bytes());

  const std::string_view bytes = whole.bytes();
  const size_t count = (bytes.size() + limits::kLockPartBytes - 1) / limits::kLockPartBytes;
  std::vector<Bytes> parts;
  for (size_t i = 0; i < count; ++i) {
    Encoder part;
    part.u8(kVersion).u64(stamp).u32(static_cast<uint32_t>(count));
    part.raw(bytes.substr(i * limits::kLockPartBytes, limits::kLockPartBytes));
    parts.push_back(std::move(part).take());
  }
  return parts;
}

Result<uint32_t> LockRow::count_parts(std::string_view first_part) {
  Decoder decoder(first_part);
  if (decoder.u8() != kVersion) return error(Code::kCorrupt, "a lock table has an unknown version");
  decoder.u64();
  const uint32_t count = decoder.u32();
  constexpr size_t kPartsMax = limits::kLocksOfFile * (kOwnerBytes + kWaiterBytes) / limits::kLockPartBytes + 1;
  if (decoder.failed() || count == 0 || count > kPartsMax)
    return error(Code::kCorrupt, "a lock table of {} parts makes no sense", count);
  return count;
}

Result<LockRow> LockRow::decode(const std::vector<std::string_view>& parts) {
  Bytes whole;
  uint64_t stamp = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    ASSIGN_OR_RETURN(const uint32_t count, count_parts(parts[i]));
    Decoder part(parts[i]);
    part.u8();
    const uint64_t of_part = part.u64();
    part.u32();
    if (count != parts.size() || (i > 0 && of_part != stamp))
      return error(Code::kConflict, "the parts of a lock table do not go together");
    stamp = of_part;
    whole.append(part.raw(part.remaining()));
  }
  Decoder decoder(whole);
  const std::vector<Owner> owners = read_owners(decoder);
  LockRow row;
  row.held.resize(read_count(decoder, kHeldBytes));
  for (NodeLock& one : row.held) one = read_lock(decoder, owners);
  row.waiting.resize(read_count(decoder, kWaiterBytes));
  for (LockWaiter& one : row.waiting) {
    one.wanted = read_lock(decoder, owners);
    one.request = decoder.u64();
  }
  TRY(decoder.finish("lock table"));
  return row;
}

}  // namespace weir::meta
