// What a damaged or hostile metadata engine may hold in the rows that only metadata operations see, in keys and in
// access control lists that users write: decoding never crashes, and what it accepts is what the encoder makes. The
// first byte chooses.
#include "meta/rows.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "meta/acl.h"
#include "meta/keys.h"
#include "meta/lock_row.h"
#include "meta/new_inode.h"

namespace {

using namespace weir;
using namespace weir::meta;

template <class Row>
void decode(std::string_view input) {
  auto row = Row::decode(input);
  if (row) CHECK(row->encode() == input);
}

void parse_acl(std::string_view input) {
  auto acl = Acl::parse(input);
  if (!acl) return;
  auto again = Acl::parse(acl->encode());
  CHECK(again.has_value() && again->entries() == acl->entries());
  if (acl->empty()) return;
  uint32_t mode = 0640;
  CHECK(acl->inherit(mode).permission_bits() == (mode & 0777));
  acl->apply_mode(0751);
  CHECK(acl->permission_bits() == 0751);
}

void parse_key(std::string_view input) {
  (void)keys::parse_number(input);
  if (auto key = keys::parse_pair(input)) CHECK(input.size() == 1 + 2 * sizeof(uint64_t));
  if (auto key = keys::parse_delta(input))
    CHECK(keys::delta(key->directory, key->node, key->slot).substr(1) == input.substr(1));
  if (auto key = keys::parse_xattr(input)) CHECK(keys::xattr(key->inode, key->name).substr(1) == input.substr(1));
  if (auto key = keys::parse_chunk(input)) CHECK(keys::chunk(*key).substr(1) == input.substr(1));
  if (auto key = keys::parse_reference(input)) {
    CHECK(keys::reference(key->chunk, key->kind, key->owner).substr(1) == input.substr(1));
  }
  if (auto key = keys::parse_duty(input)) CHECK(keys::duty(key->chunk, key->node).substr(1) == input.substr(1));
  if (auto key = keys::parse_pin(input)) {
    const Bytes made = key->is_guard ? keys::pin_guard(key->inode) : keys::pin(key->inode, key->generation, key->node);
    CHECK(made.substr(1) == input.substr(1));
  }
  if (auto key = keys::parse_queue(input)) {
    CHECK(keys::queue(key->queue_class, key->due_ms, key->serial).substr(1) == input.substr(1));
  }
  if (auto key = keys::parse_locks(input)) CHECK(keys::locks(key->inode, key->part).substr(1) == input.substr(1));
}

void parse_reply(std::string_view input) {
  auto inode = decode_reply(input);
  if (inode) CHECK(encode_reply(*inode) == input);
}

/// A table of one part.
void parse_locks(std::string_view input) {
  auto row = LockRow::decode({input});
  if (!row) return;
  const std::vector<Bytes> parts = row->encode(1);
  auto again = LockRow::decode({parts.begin(), parts.end()});
  CHECK(row->empty() || (again.has_value() && again->held == row->held && again->waiting == row->waiting));
  (void)row->grant();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 13) {
    case 0: decode<XattrRow>(input); break;
    case 1: decode<PageRow>(input); break;
    case 2: decode<ReferenceRow>(input); break;
    case 3: decode<MarkRow>(input); break;
    case 4: decode<BuildRow>(input); break;
    case 5: decode<QueueRow>(input); break;
    case 6: decode<SlotRow>(input); break;
    case 7: decode<CounterRow>(input); break;
    case 8: parse_acl(input); break;
    case 9: parse_key(input); break;
    case 10: decode<PinRow>(input); break;
    case 11: parse_reply(input); break;
    default: parse_locks(input); break;
  }
  return 0;
}
