// Attributes that travel with a draft. Formats: docs/formats.md, "Staging record", and docs/shared-memory.md.
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "vfs/draft.h"

namespace weir::vfs {

namespace {

constexpr uint32_t kMode = 1;
constexpr uint32_t kUid = 2;
constexpr uint32_t kGid = 4;
constexpr uint32_t kAtime = 8;
constexpr uint32_t kAll = kMode | kUid | kGid | kAtime;

uint32_t bits_of(const meta::AttributeChange& change) {
  return (change.mode ? kMode : 0) | (change.uid ? kUid : 0) | (change.gid ? kGid : 0) | (change.atime_ns ? kAtime : 0);
}

template <class T>
void take_over(std::optional<T>& place, const std::optional<T>& newer) {
  if (newer) place = newer;
}

}  // namespace

bool Draft::carry(const meta::AttributeChange& change) {
  CHECK(changed_ && !change.mtime_ns && change.ctime_ns);
  if (!carried_slot_) carried_slot_ = slots_.allocate();
  if (!carried_slot_) return false;
  take_over(carried_.mode, change.mode);
  take_over(carried_.uid, change.uid);
  take_over(carried_.gid, change.gid);
  take_over(carried_.atime_ns, change.atime_ns);
  carried_.ctime_ns = change.ctime_ns;

  CarriedRecord record;
  record.inode = inode_.value;
  record.atime_ns = carried_.atime_ns.value_or(0);
  record.ctime_ns = *carried_.ctime_ns;
  record.mode = carried_.mode.value_or(0);
  record.uid = carried_.uid.value_or(0);
  record.gid = carried_.gid.value_or(0);
  record.set = bits_of(carried_);
  auto& place = slots_.find(*carried_slot_)->as<CarriedRecord>();
  if (place.inode == 0) {
    write_record(place, record);
  } else {
    // What was acknowledged stands there all the time; what breaks off in between is done again.
    place = record;
  }
  return true;
}

void Draft::forget_carried() {
  if (carried_slot_) slots_.free(*carried_slot_);
  carried_slot_.reset();
  carried_ = {};
}

Status Draft::drop_carried() {
  const meta::AttributeChange committed = std::exchange(carried_, {});
  Status renewed = staging_ ? renew_record() : Status();
  if (renewed) {
    forget_carried();
  } else {
    carried_ = committed;
  }
  return renewed;
}

void Draft::resume_carried(SlotId slot, const CarriedRecord& noted) {
  carried_slot_ = slot;
  if (noted.set & kMode) carried_.mode = noted.mode;
  if (noted.set & kUid) carried_.uid = noted.uid;
  if (noted.set & kGid) carried_.gid = noted.gid;
  if (noted.set & kAtime) carried_.atime_ns = noted.atime_ns;
  carried_.ctime_ns = noted.ctime_ns;
  // A live draft goes on after its publish, which took them along.
  if (!changed_) forget_carried();
}

void Draft::encode_carried(Encoder& encoder) const {
  encoder.u8(static_cast<uint8_t>(bits_of(carried_)));
  if (carried_.mode) encoder.u32(*carried_.mode);
  if (carried_.uid) encoder.u32(*carried_.uid);
  if (carried_.gid) encoder.u32(*carried_.gid);
  if (carried_.atime_ns) encoder.i64(*carried_.atime_ns);
  encoder.i64(*carried_.ctime_ns);
}

void Draft::decode_carried(Decoder& decoder) {
  const uint32_t bits = decoder.u8();
  if ((bits & ~kAll) != 0) decoder.fail();
  if (bits & kMode) carried_.mode = decoder.u32();
  if (bits & kUid) carried_.uid = decoder.u32();
  if (bits & kGid) carried_.gid = decoder.u32();
  if (bits & kAtime) carried_.atime_ns = decoder.i64();
  carried_.ctime_ns = decoder.i64();
}

}  // namespace weir::vfs
