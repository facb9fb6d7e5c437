	movabsq	$.LCPI0_0, %rbx
	vmovdqu64	(%rcx,%rax,2), %zmm7
	vmovdqu64	64(%rcx,%rax,2), %zmm10
	vmovdqu64	(%r15,%rax), %zmm12
	movq	56(%rsp), %rdi
	movq	%rax, %rsi
	shrq	$6, %rsi
	vpmovsxbd	32(%r13,%rax), %zmm27
	vpmovsxbd	48(%r13,%rax), %zmm29
	vpmovzxwd	-2112(%rdx,%rax,2), %zmm15
	vmovdqa64	(%rbx), %zmm5
	movabsq	$.LCPI0_1, %rbx
	vbroadcastss	(%r10,%rsi,4), %zmm14
	vmovdqa64	(%rbx), %zmm8
	vpxorq	(%r12,%rax), %zmm5, %zmm6
	movabsq	$.LCPI0_3, %rbx
	vpbroadcastd	(%rbx), %zmm16
	movabsq	$.LCPI0_4, %rbx
	vmovdqa64	(%rbx), %zmm9
	movabsq	$.LCPI0_5, %rbx
	movzwl	(%rdi,%rsi,2), %edi
	vpermi2b	%zmm6, %zmm7, %zmm8
	shll	$16, %edi
	vpbroadcastd	%edi, %zmm13
	vpslld	$16, %zmm15, %zmm18
	vpmovzxwd	-2080(%rdx,%rax,2), %zmm15
	movq	56(%rsp), %rdi
	vpermi2b	%zmm6, %zmm7, %zmm9
	vpandq	%zmm30, %zmm8, %zmm8
	vpaddd	%zmm16, %zmm8, %zmm11
	vmovdqa64	(%rbx), %zmm8
	movabsq	$.LCPI0_6, %rbx
	vmovdqa64	(%rbx), %zmm17
	movabsq	$.LCPI0_8, %rbx
	vpandq	%zmm30, %zmm9, %zmm7
	vbroadcastss	(%rbx), %zmm20
	vpaddd	%zmm16, %zmm7, %zmm9
	movabsq	$.LCPI0_9, %rbx
	vpslld	$16, %zmm15, %zmm19
	vpmovzxwd	-2048(%rdx,%rax,2), %zmm15
	vpermi2b	%zmm6, %zmm10, %zmm8
	vpermi2b	%zmm6, %zmm10, %zmm17
	vpmovsxbd	(%r13,%rax), %zmm10
	vpandq	%zmm30, %zmm8, %zmm7
	vpandq	%zmm30, %zmm17, %zmm6
	vpbroadcastd	(%r11), %zmm17
	vpaddd	%zmm16, %zmm7, %zmm8
	vpaddd	%zmm16, %zmm6, %zmm7
	vpmovzxwd	-2016(%rdx,%rax,2), %zmm16
	vpslld	$16, %zmm15, %zmm15
	vpaddd	%zmm17, %zmm10, %zmm6
	vpbroadcastd	(%rbx), %zmm10
	movabsq	$.LCPI0_10, %rbx
	vpaddd	%zmm17, %zmm27, %zmm27
	vaddps	%zmm20, %zmm6, %zmm21
	vpbroadcastd	(%rbx), %zmm6
	movabsq	$.LCPI0_11, %rbx
	vaddps	%zmm20, %zmm27, %zmm27
	vmovdqa64	(%rbx), %zmm25
	movabsq	$.LCPI0_12, %rbx
	vmovdqa64	(%rbx), %zmm23
	movabsq	$.LCPI0_13, %rbx
	vbroadcastss	(%rbx), %zmm24
	vpaddd	%zmm21, %zmm21, %zmm22
	vpaddd	%zmm27, %zmm27, %zmm28
	movabsq	$.LCPI0_14, %rbx
	vpslld	$16, %zmm16, %zmm16
	vpternlogd	$248, %zmm6, %zmm21, %zmm22
	vpternlogd	$248, %zmm6, %zmm27, %zmm28
	vmulps	%zmm22, %zmm13, %zmm21
	vmulps	%zmm28, %zmm13, %zmm27
	vpermi2b	%zmm12, %zmm23, %zmm25
	vaddps	%zmm24, %zmm25, %zmm22
	vpmovsxbd	16(%r13,%rax), %zmm25
	vpslld	$2, %zmm22, %zmm22
	vmulps	%zmm22, %zmm14, %zmm22
	vpaddd	%zmm17, %zmm25, %zmm25
	vpaddd	%zmm17, %zmm29, %zmm17
	vaddps	%zmm20, %zmm25, %zmm25
	vaddps	%zmm20, %zmm17, %zmm17
	vpaddd	%zmm25, %zmm25, %zmm26
	vpaddd	%zmm17, %zmm17, %zmm20
	vpternlogd	$248, %zmm6, %zmm25, %zmm26
	vpternlogd	$248, %zmm6, %zmm17, %zmm20
	vsubps	%zmm21, %zmm18, %zmm17
	vmulps	%zmm26, %zmm13, %zmm25
	vmovdqa64	(%rbx), %zmm26
	movabsq	$.LCPI0_15, %rbx
	vmulps	%zmm20, %zmm13, %zmm20
	vmovdqa64	(%rbx), %zmm28
	movabsq	$.LCPI0_16, %rbx
	vmovdqa64	(%rbx), %zmm13
	movabsq	$.LCPI0_18, %rbx
	vpermi2b	%zmm12, %zmm23, %zmm26
	vpermi2b	%zmm12, %zmm23, %zmm28
	vpermi2b	%zmm12, %zmm23, %zmm13
	vaddps	%zmm24, %zmm26, %zmm26
	vaddps	%zmm24, %zmm28, %zmm28
	vaddps	%zmm24, %zmm13, %zmm12
	vmulps	%zmm17, %zmm0, %zmm13
	vpslld	$2, %zmm26, %zmm26
	vpslld	$2, %zmm28, %zmm28
	vmulps	%zmm26, %zmm14, %zmm26
	vpslld	$2, %zmm12, %zmm12
	vmulps	%zmm28, %zmm14, %zmm28
	vaddps	%zmm13, %zmm21, %zmm17
	vmulps	%zmm19, %zmm1, %zmm21
	vmulps	%zmm12, %zmm14, %zmm12
	vmulps	%zmm18, %zmm1, %zmm14
	vmulps	%zmm28, %zmm1, %zmm23
	vmulps	%zmm18, %zmm14, %zmm13
	vmulps	%zmm22, %zmm1, %zmm14
	vsubps	%zmm25, %zmm19, %zmm18
	vsubps	%zmm14, %zmm13, %zmm13
	vmulps	%zmm18, %zmm0, %zmm14
	vaddps	%zmm14, %zmm25, %zmm18
	vmulps	%zmm19, %zmm21, %zmm14
	vsubps	%zmm27, %zmm15, %zmm21
	vaddps	%zmm13, %zmm22, %zmm13
	vmulps	%zmm26, %zmm1, %zmm22
	vandps	%zmm31, %zmm17, %zmm25
	vmulps	%zmm21, %zmm0, %zmm19
	vmulps	%zmm15, %zmm1, %zmm21
	vsubps	%zmm22, %zmm14, %zmm14
	vsubps	%zmm20, %zmm16, %zmm22
	vmulps	%zmm15, %zmm21, %zmm15
	vmulps	%zmm22, %zmm0, %zmm21
	vmulps	%zmm12, %zmm1, %zmm22
	vaddps	%zmm19, %zmm27, %zmm19
	vaddps	%zmm14, %zmm26, %zmm14
	vmovddup	(%rbx), %xmm27
	movabsq	$.LCPI0_19, %rbx
	vsubps	%zmm23, %zmm15, %zmm15
	vmulps	%zmm16, %zmm1, %zmm23
	vaddps	%zmm21, %zmm20, %zmm20
	vmulps	%zmm16, %zmm23, %zmm16
	vaddps	%zmm15, %zmm28, %zmm15
	vandps	%zmm31, %zmm18, %zmm23
	vandps	%zmm31, %zmm20, %zmm21
	vsubps	%zmm22, %zmm16, %zmm16
	vandps	%zmm31, %zmm19, %zmm22
	vpmaxud	%zmm21, %zmm22, %zmm24
	vaddps	%zmm16, %zmm12, %zmm16
	vpmaxud	%zmm23, %zmm25, %zmm12
	vpmaxud	%zmm24, %zmm12, %zmm12
	vpmaxud	%zmm14, %zmm13, %zmm24
	vpmaxud	%zmm16, %zmm15, %zmm26
	vsqrtps	%zmm16, %zmm29
	vpmaxud	%zmm26, %zmm24, %zmm24
	vinserti64x4	$1, %ymm24, %zmm12, %zmm26
	vshufi64x2	$238, %zmm24, %zmm12, %zmm12
	vpmaxud	%zmm12, %zmm26, %zmm12
	vpermq	$78, %zmm12, %zmm24
	vpmaxud	%zmm24, %zmm12, %zmm12
	vpshufd	$78, %zmm12, %zmm24
	vpmaxud	%zmm24, %zmm12, %zmm12
	vpshufd	$177, %zmm12, %zmm24
	vpmaxud	%zmm24, %zmm12, %zmm12
	vextracti32x4	$2, %zmm12, %xmm24
	vpermi2ps	%xmm24, %xmm12, %xmm27
	vmulps	(%rbx), %xmm27, %xmm12
	vsqrtps	%zmm13, %zmm27
	movabsq	$.LCPI0_20, %rbx
	vpaddd	(%rbx), %xmm12, %xmm12
	movabsq	$.LCPI0_21, %rbx
	vpand	(%rbx), %xmm12, %xmm12
	movabsq	$.LCPI0_22, %rbx
	vpmaxud	(%rbx), %xmm12, %xmm12
	movabsq	$.LCPI0_23, %rbx
	vbroadcastss	(%rbx), %xmm24
	movabsq	$.LCPI0_24, %rbx
	vpbroadcastd	(%rbx), %zmm28
	movabsq	$.LCPI0_25, %rbx
	vmulps	%zmm27, %zmm2, %zmm27
	vdivps	%xmm12, %xmm24, %xmm24
	vaddps	%zmm27, %zmm3, %zmm27
	vdivps	%zmm27, %zmm17, %zmm27
	vbroadcastss	%xmm24, %zmm26
	vmovshdup	%xmm24, %xmm24
	vbroadcastss	%xmm24, %zmm24
	vmulps	%zmm26, %zmm25, %zmm25
	vmulps	%zmm26, %zmm22, %zmm22
	vmulps	%zmm26, %zmm21, %zmm21
	vmulps	%zmm26, %zmm23, %zmm23
	vmulps	%zmm24, %zmm16, %zmm16
	vmulps	%zmm24, %zmm13, %zmm13
	vpsrld	$1, %zmm22, %zmm22
	vpsrld	$1, %zmm21, %zmm21
	vpsrld	$1, %zmm23, %zmm23
	vmulps	%zmm27, %zmm4, %zmm27
	vpternlogd	$248, %zmm6, %zmm19, %zmm22
	vpternlogd	$248, %zmm6, %zmm20, %zmm21
	vpternlogd	$248, %zmm6, %zmm18, %zmm23
	vsubps	%zmm27, %zmm11, %zmm11
	vpsrld	$8, %zmm11, %zmm27
	vpaddd	%zmm28, %zmm11, %zmm11
	vpandd	%zmm10, %zmm27, %zmm27
	vpaddd	%zmm27, %zmm11, %zmm11
	vsqrtps	%zmm14, %zmm27
	vmulps	%zmm24, %zmm14, %zmm14
	vmulps	%zmm27, %zmm2, %zmm27
	vaddps	%zmm27, %zmm3, %zmm27
	vdivps	%zmm27, %zmm18, %zmm27
	vmulps	%zmm27, %zmm4, %zmm27
	vsubps	%zmm27, %zmm9, %zmm9
	vpsrld	$8, %zmm9, %zmm27
	vpaddd	%zmm28, %zmm9, %zmm9
	vpandd	%zmm10, %zmm27, %zmm27
	vpaddd	%zmm27, %zmm9, %zmm9
	vsqrtps	%zmm15, %zmm27
	vmulps	%zmm24, %zmm15, %zmm15
	vmulps	%zmm27, %zmm2, %zmm27
	vaddps	%zmm27, %zmm3, %zmm27
	vdivps	%zmm27, %zmm19, %zmm27
	vmulps	%zmm27, %zmm4, %zmm27
	vsubps	%zmm27, %zmm8, %zmm8
	vpsrld	$8, %zmm8, %zmm27
	vpaddd	%zmm28, %zmm8, %zmm8
	vpandd	%zmm10, %zmm27, %zmm27
	vpaddd	%zmm27, %zmm8, %zmm8
	vmulps	%zmm29, %zmm2, %zmm27
	vaddps	%zmm27, %zmm3, %zmm27
	vdivps	%zmm27, %zmm20, %zmm27
	vmulps	%zmm27, %zmm4, %zmm27
	vsubps	%zmm27, %zmm7, %zmm7
	vpsrld	$8, %zmm7, %zmm27
	vpaddd	%zmm28, %zmm7, %zmm7
	vpandd	%zmm10, %zmm27, %zmm10
	vpaddd	%zmm10, %zmm7, %zmm10
	vpsrld	$1, %zmm25, %zmm7
	vpternlogd	$248, %zmm6, %zmm17, %zmm7
	vbroadcastss	(%r11), %zmm17
	vaddps	%zmm17, %zmm22, %zmm19
	vbroadcastss	(%rbx), %zmm22
	movabsq	$.LCPI0_26, %rbx
	vaddps	%zmm17, %zmm7, %zmm7
	vaddps	%zmm17, %zmm23, %zmm18
	vaddps	%zmm17, %zmm21, %zmm17
	vbroadcastss	(%rbx), %zmm20
	movabsq	$.LCPI0_27, %rbx
	vmaxps	%zmm22, %zmm16, %zmm6
	vmovdqa64	(%rbx), %zmm16
	movabsq	$.LCPI0_29, %rbx
	vmaxps	%zmm22, %zmm13, %zmm13
	vmaxps	%zmm22, %zmm14, %zmm14
	vmaxps	%zmm22, %zmm15, %zmm15
	vmovdqa64	(%rbx), %zmm22
	movabsq	$.LCPI0_28, %rbx
	vpsrld	$2, %zmm13, %zmm13
	vpsrld	$2, %zmm14, %zmm14
	vpsrld	$2, %zmm15, %zmm15
	vpsrld	$2, %zmm6, %zmm6
	vaddps	%zmm20, %zmm13, %zmm13
	vaddps	%zmm20, %zmm14, %zmm14
	vaddps	%zmm20, %zmm15, %zmm15
	vaddps	%zmm20, %zmm6, %zmm6
	vmovdqa64	(%r8), %zmm20
	vpshufb	%zmm22, %zmm11, %zmm21
	vpermt2w	%zmm9, %zmm16, %zmm11
	vpermi2w	%zmm10, %zmm8, %zmm16
	vpshufb	%zmm22, %zmm8, %zmm8
	vmovdqu64	%zmm11, (%rcx,%rax,2)
	vmovdqu64	%zmm16, 64(%rcx,%rax,2)
	vmovdqa64	(%rbx), %zmm16
	movabsq	$.LCPI0_30, %rbx
	vpshufb	%zmm16, %zmm9, %zmm9
	vpshufb	%zmm16, %zmm10, %zmm10
	vpshufb	%zmm20, %zmm17, %zmm16
	vporq	%zmm9, %zmm21, %zmm9
	vmovdqa64	(%rbx), %zmm21
	vporq	%zmm10, %zmm8, %zmm8
	leaq	64(%rax), %rbx
	vpermt2d	%zmm8, %zmm21, %zmm9
	vpshufb	%zmm20, %zmm18, %zmm8
	vpxorq	%zmm5, %zmm9, %zmm5
	vmovdqa64	(%r9), %zmm9
	vmovdqu64	%zmm5, (%r12,%rax)
	vpshufb	%zmm20, %zmm6, %zmm5
	vpshufb	%zmm9, %zmm7, %zmm7
	vpshufb	%zmm9, %zmm19, %zmm11
	vporq	%zmm8, %zmm7, %zmm7
	vporq	%zmm16, %zmm11, %zmm8
	vpshufb	%zmm20, %zmm14, %zmm11
	vpermt2d	%zmm8, %zmm21, %zmm7
	vpshufb	%zmm9, %zmm13, %zmm8
	vmovdqu64	%zmm7, (%r13,%rax)
	vporq	%zmm11, %zmm8, %zmm7
	vpshufb	%zmm9, %zmm15, %zmm8
	vporq	%zmm5, %zmm8, %zmm5
	vpermt2d	%zmm5, %zmm21, %zmm7
	vmovdqu64	%zmm7, (%r15,%rax)
	vpextrw	$1, %xmm12, (%rdi,%rsi,2)
	vpextrd	$1, %xmm12, (%r10,%rsi,4)
	prefetchw	2048(%rcx,%rax,2)
	prefetchw	2112(%rcx,%rax,2)
	prefetcht0	-64(%rdx,%rax,2)
	prefetcht0	(%rdx,%rax,2)
	prefetchw	2048(%r13,%rax)
	prefetchw	2048(%r15,%rax)
	prefetchw	2048(%r12,%rax)
	subq	$-128, %rax
	cmpq	%r14, %rax
	movq	%rbx, %rax