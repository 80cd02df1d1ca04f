// The classic BPF machine of seccomp, as far as filters use it: what would the kernel answer for this call?
#pragma once

#include <cstdint>
#include <cstring>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <optional>
#include <string_view>

namespace brig::tests {

// Nothing when the program does what the kernel's checker refuses.
inline std::optional<uint32_t> run_filter(std::string_view program, const seccomp_data& call)
{
    size_t size = program.size() / sizeof(sock_filter);
    uint32_t accumulator = 0;
    for (size_t position = 0; position < size; position++) {
        sock_filter step;
        std::memcpy(&step, program.data() + position * sizeof step, sizeof step);
        auto jump = [&](bool holds) { position += holds ? step.jt : step.jf; };
        switch (step.code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (step.k % 4 != 0 || step.k + 4 > sizeof call)
                return std::nullopt;
            std::memcpy(&accumulator, reinterpret_cast<const char*>(&call) + step.k, sizeof accumulator);
            break;
        case BPF_ALU | BPF_AND | BPF_K: accumulator &= step.k; break;
        case BPF_JMP | BPF_JA: position += step.k; break;
        case BPF_JMP | BPF_JEQ | BPF_K: jump(accumulator == step.k); break;
        case BPF_JMP | BPF_JGT | BPF_K: jump(accumulator > step.k); break;
        case BPF_JMP | BPF_JGE | BPF_K: jump(accumulator >= step.k); break;
        case BPF_JMP | BPF_JSET | BPF_K: jump((accumulator & step.k) != 0); break;
        case BPF_RET | BPF_K: return step.k;
        default: return std::nullopt;
        }
    }
    return std::nullopt;
}

} // namespace brig::tests
