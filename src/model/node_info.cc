#include "model/node_info.h"

namespace weir {

namespace {

constexpr uint8_t kInfoVersion = 2;
constexpr uint8_t kFirstInfoVersion = 1;  // without what several nodes need
constexpr uint8_t kLeaseVersion = 1;

bool flag(Decoder& decoder) {
  const uint8_t value = decoder.u8();
  if (value > 1) decoder.fail();
  return value != 0;
}

}  // namespace

Bytes NodeInfo::encode() const {
  Encoder encoder;
  encoder.u8(kInfoVersion).u64(epoch).u8(active ? 1 : 0).sized(host).sized(mount_point).sized(cache_directory);
  encoder.sized(process.boot_id).u64(process.pid_namespace).i64(process.pid).u64(process.started);
  encoder.u8(fenced ? 1 : 0).sized(zone).sized(address);
  return std::move(encoder).take();
}

Result<NodeInfo> NodeInfo::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  const uint8_t version = decoder.u8();
  if (version < kFirstInfoVersion || version > kInfoVersion) decoder.fail();
  NodeInfo info;
  info.epoch = decoder.u64();
  info.active = flag(decoder);
  info.host = std::string(decoder.sized());
  info.mount_point = std::string(decoder.sized());
  info.cache_directory = std::string(decoder.sized());
  info.process.boot_id = std::string(decoder.sized());
  info.process.pid_namespace = decoder.u64();
  info.process.pid = decoder.i64();
  info.process.started = decoder.u64();
  if (version > kFirstInfoVersion) {
    info.fenced = flag(decoder);
    info.zone = std::string(decoder.sized());
    info.address = std::string(decoder.sized());
  }
  TRY(decoder.finish("node"));
  return info;
}

Bytes LeaseRow::encode() const { return std::move(Encoder().u8(kLeaseVersion).u64(epoch).u64(renewals)).take(); }

Result<LeaseRow> LeaseRow::decode(std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.u8() != kLeaseVersion) decoder.fail();
  LeaseRow row;
  row.epoch = decoder.u64();
  row.renewals = decoder.u64();
  TRY(decoder.finish("node lease"));
  return row;
}

}  // namespace weir
