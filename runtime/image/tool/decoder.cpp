#include "image/tool/decoder.hpp"

#include "base/text.hpp"

#include <isa-l/igzip_lib.h>
#include <semaphore>
#define ZSTD_STATIC_LINKING_ONLY // for the window of a frame, before it is made
#include <zstd.h>
#include <zstd_errors.h>

namespace brig::image {

namespace {

constexpr size_t output_size = chunk_size;

// A frame that wants a larger window is refused: it would cost that much memory. zstd -19 wants 8 MiB, --ultra -22 128 MiB.
constexpr int largest_window_log = 25;
// One stream at a time may have one that is larger than this: layers are unpacked side by side.
constexpr uint64_t usual_window = uint64_t{8} << 20;
std::binary_semaphore wide_window{1};

class GzipDecoder : public ByteSource {
public:
    explicit GzipDecoder(ByteSource& inner) : m_inner(inner), m_state(std::make_unique<struct inflate_state>())
    {
        begin_member();
    }

    Result<std::string_view> next() override
    {
        while (true) {
            if (m_state->avail_in == 0 && !m_input_ended)
                TRY(refill());
            if (m_state->block_state == ISAL_BLOCK_FINISH) {
                // Zeros may fill up the last block of a tape; anything else is a further member.
                if (!TRY(begin_next_member()))
                    return std::string_view();
            }
            m_state->next_out = reinterpret_cast<uint8_t*>(m_output.data());
            m_state->avail_out = static_cast<uint32_t>(m_output.size());
            uint32_t before = m_state->avail_in;
            int code = isal_inflate(m_state.get());
            if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT && code != ISAL_OUT_OVERFLOW)
                return failure(ErrorKind::invalid, fmt::format("the gzip stream is damaged ({})", code));
            size_t count = m_output.size() - m_state->avail_out;
            if (count > 0)
                return std::string_view(m_output.data(), count);
            if (m_state->avail_in == before && m_input_ended && m_state->block_state != ISAL_BLOCK_FINISH)
                return failure(ErrorKind::invalid, "the gzip stream ends too early");
        }
    }

private:
    void begin_member()
    {
        uint8_t* input = m_state->next_in;
        uint32_t left = m_state->avail_in;
        isal_inflate_init(m_state.get());
        m_state->crc_flag = ISAL_GZIP;
        m_state->next_in = input;
        m_state->avail_in = left;
    }

    Result<> refill()
    {
        std::string_view bytes = TRY(m_inner.next());
        m_input_ended = bytes.empty();
        // The library does not write to it.
        m_state->next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(bytes.data()));
        m_state->avail_in = static_cast<uint32_t>(bytes.size());
        return {};
    }

    Result<bool> begin_next_member()
    {
        while (true) {
            if (m_state->avail_in == 0 && !m_input_ended)
                TRY(refill());
            if (m_state->avail_in == 0)
                return false;
            if (*m_state->next_in != 0)
                break;
            m_state->next_in++;
            m_state->avail_in--;
        }
        begin_member();
        return true;
    }

    ByteSource& m_inner;
    std::unique_ptr<struct inflate_state> m_state;
    std::string m_output = std::string(output_size, '\0');
    bool m_input_ended = false;
};

class ZstdDecoder : public ByteSource {
public:
    explicit ZstdDecoder(ByteSource& inner) : m_inner(inner), m_stream(ZSTD_createDStream())
    {
        ZSTD_DCtx_setParameter(m_stream, ZSTD_d_windowLogMax, largest_window_log);
    }
    ~ZstdDecoder() override
    {
        ZSTD_freeDStream(m_stream);
        if (m_has_wide_window)
            wide_window.release();
    }

    Result<std::string_view> next() override
    {
        while (true) {
            if (m_input.pos == m_input.size && !m_input_ended) {
                std::string_view bytes = TRY(m_inner.next());
                m_input_ended = bytes.empty();
                m_input = {bytes.data(), bytes.size(), 0};
            }
            if (m_at_frame && m_input.pos < m_input.size)
                prepare_window();
            ZSTD_outBuffer output = {m_output.data(), m_output.size(), 0};
            size_t before = m_input.pos;
            size_t code = ZSTD_decompressStream(m_stream, &output, &m_input);
            if (ZSTD_isError(code))
                return failure(explain(code));
            bool moved = m_input.pos != before || output.pos > 0;
            if (moved) {
                m_in_frame = code != 0;
                m_at_frame = !m_in_frame;
            }
            if (output.pos > 0)
                return std::string_view(m_output.data(), output.pos);
            if (m_input_ended && !moved)
                return m_in_frame ? failure(ErrorKind::invalid, "the zstd stream ends too early")
                                  : Result<std::string_view>(std::string_view());
        }
    }

private:
    // A header that is not all there counts as one of a wide window.
    void prepare_window()
    {
        ZSTD_frameHeader header = {};
        const char* begin = static_cast<const char*>(m_input.src) + m_input.pos;
        size_t missing = ZSTD_getFrameHeader(&header, begin, m_input.size - m_input.pos);
        bool usual = missing == 0 && header.windowSize <= usual_window;
        if (usual || ZSTD_isError(missing) || m_has_wide_window)
            return;
        wide_window.acquire();
        m_has_wide_window = true;
    }

    static Error explain(size_t code)
    {
        Error error(ErrorKind::invalid, fmt::format("the zstd stream is damaged: {}", ZSTD_getErrorName(code)));
        if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
            return Error(ErrorKind::not_supported, "the zstd stream needs a window of more than 32 MiB")
                .with_hint("compress the layer without --ultra and --long");
        return error;
    }

    ByteSource& m_inner;
    ZSTD_DStream* m_stream;
    ZSTD_inBuffer m_input = {nullptr, 0, 0};
    std::string m_output = std::string(output_size, '\0');
    bool m_input_ended = false;
    bool m_in_frame = true; // an empty file is no stream
    bool m_at_frame = true; // the next byte begins one
    bool m_has_wide_window = false;
};

class PlainDecoder : public ByteSource {
public:
    explicit PlainDecoder(ByteSource& inner) : m_inner(inner) {}
    Result<std::string_view> next() override { return m_inner.next(); }

private:
    ByteSource& m_inner;
};

} // namespace

std::string_view compression_name(Compression compression)
{
    switch (compression) {
    case Compression::none: return "none";
    case Compression::gzip: return "gzip";
    case Compression::zstd: return "zstd";
    case Compression::other: return "xz or bzip2";
    }
    return {};
}

Compression compression_of(std::string_view beginning)
{
    if (beginning.starts_with("\x1f\x8b"))
        return Compression::gzip;
    // A frame, or a skippable frame before it (0x184D2A5?, little-endian).
    bool skippable = beginning.size() >= 4 && (beginning[0] & 0xf0) == 0x50 && beginning.substr(1, 3) == "\x2a\x4d\x18";
    if (beginning.starts_with("\x28\xb5\x2f\xfd") || skippable)
        return Compression::zstd;
    if (beginning.starts_with("\xfd"
                              "7zX")
        || beginning.starts_with("BZh"))
        return Compression::other;
    return Compression::none;
}

Result<std::unique_ptr<ByteSource>> make_decoder(Compression compression, ByteSource& inner)
{
    switch (compression) {
    case Compression::none: return std::make_unique<PlainDecoder>(inner);
    case Compression::gzip: return std::make_unique<GzipDecoder>(inner);
    case Compression::zstd: return std::make_unique<ZstdDecoder>(inner);
    case Compression::other: break;
    }
    return failure(Error(ErrorKind::not_supported, "the archive is compressed with xz or bzip2")
                       .with_hint("decompress it first: xz -d, bzip2 -d"));
}

} // namespace brig::image
